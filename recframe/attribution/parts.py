"""Checks of components as their factories return them: the class, its methods, and the attributes that its constructor must set."""

from __future__ import annotations

import inspect
from typing import Any

from recframe.attribution.failure import ComponentFailure
from recframe.attribution.origin import Origin
from recframe.attribution.tensors import Problem
from recframe.components import Kind
from recframe.interfaces import Agent, Dataset, Encoder, Environment, EnvironmentSpec, Reward, StateTracker

INTERFACES: dict[Kind, type] = {
    Kind.DATASET: Dataset,
    Kind.ENCODER: Encoder,
    Kind.STATE_TRACKER: StateTracker,
    Kind.AGENT: Agent,
    Kind.ENVIRONMENT: Environment,
    Kind.REWARD: Reward,
}

SET_BY_CONSTRUCTORS: dict[Kind, tuple[str, ...]] = {
    Kind.STATE_TRACKER: ("spec", "item_dim", "item_projection"),
    Kind.AGENT: ("spec", "generator", "env_steps"),
}
"""The attributes that the constructor of the interface sets, which a subclass calls."""


def missing_methods(factory: Any, kind: Kind) -> Problem:
    """The methods that the class of a component lacks."""
    if not inspect.isabstract(factory):
        return None
    lacking = sorted(factory.__abstractmethods__)
    return f"its class {factory.__name__} lacks {', '.join(lacking)}, which {INTERFACES[kind].__name__} of recframe.interfaces requires"


def call_problem(factory: Any, given: dict[str, Any]) -> Problem:
    """Whether a factory cannot be called with a config and the named arguments `given`."""
    if not callable(factory):
        return f"its factory is a {type(factory).__name__}, which cannot be called; right is a class or a function"
    try:
        signature = inspect.signature(factory)
    except (ValueError, TypeError):
        return None
    try:
        signature.bind(None, **given)
    except TypeError as error:
        called = ", ".join(["config", *(f"{name}=..." for name in given)])
        return f"its factory is called as {getattr(factory, '__name__', 'factory')}({called}), which it does not allow: {error}"
    return None


def require_parts(kind: Kind, built: Any, origin: Origin) -> None:
    """Check what a factory returned.

    Raises
    ------
    ComponentFailure: naming the component.
    """
    if (problem := _problem(kind, built)) is not None:
        raise ComponentFailure(f"{origin}: {problem}", origin)


def _problem(kind: Kind, built: Any) -> Problem:
    interface = INTERFACES[kind]
    if not isinstance(built, interface):
        return f"its factory returned a {type(built).__name__}; right is a subclass of recframe.interfaces.{interface.__name__}"
    if lacking := [name for name in SET_BY_CONSTRUCTORS.get(kind, ()) if not hasattr(built, name)]:
        return f"it has no attribute {lacking[0]!r}: its constructor must call super().__init__(...)"
    if kind is Kind.STATE_TRACKER and not isinstance(getattr(built, "state_dim", None), int):
        return "its constructor must set the attribute state_dim, the length of a state"
    if kind is Kind.ENVIRONMENT and not isinstance(getattr(built, "spec", None), EnvironmentSpec):
        return "its constructor must set the attribute spec to a recframe.interfaces.EnvironmentSpec"
    return None
