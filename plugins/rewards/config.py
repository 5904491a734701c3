"""What the built-in rewards are called, what can be chosen about them, and the signals they read."""

from collections.abc import Callable
from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl


@dataclass
class ClickConfig:
    """One for every item that is clicked."""


@dataclass
class RatingConfig:
    """The rating of every item shown, less a centre, in units of a scale."""

    centre: float = option(0.0, "rating that is worth nothing; what is rated lower costs")
    scale: float = option(1.0, "rating points above the centre that are worth one", gt=0.0)


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Offer the built-in rewards."""
    for name, config, factory in (
        ("click", ClickConfig, "recframe_plugins.rewards.click:Click"),
        ("rating", RatingConfig, "recframe_plugins.rewards.rating:Rating"),
    ):
        register(Component(Kind.REWARD, name, config, factory, provides={"itemwise"}, requires={f"signal:{name}"}))
