"""Makes the toy world of `tests.taste_world` available."""

from tests.taste_world import make_world, world

__all__ = ["make_world", "world"]
