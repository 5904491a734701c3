"""Rules about several settings of one config: `contradictions()` methods, and how they are called."""

from __future__ import annotations


def contradictions(config: object) -> list[str]:
    """The contradictions between the settings of a component's config, one line each, with full keys.

    Each class that the config inherits from may have a method `contradictions()` that yields such lines. They are checked before a
    run starts. A constructor that can be called outside a run may call `require_consistent`.
    """
    own = [vars(cls).get("contradictions") for cls in reversed(type(config).__mro__)]
    # a setting may have that name, too
    return [line for lines in own if callable(lines) for line in lines(config)]


def require_consistent(config: object) -> None:
    """Raise `ValueError` with the config's contradictions, if it has any."""
    lines = contradictions(config)
    if lines:
        raise ValueError("; ".join(lines))
