"""Creates a Gymnasium environment from its options, with a one-line error message if that fails."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces

from recframe_plugins.environments.gymnasium.config import GymnasiumConfig

if TYPE_CHECKING:
    from torch import Tensor

# arguments of gymnasium.make that have an option of their own
RESERVED = {"id": "environment.id", "max_episode_steps": "environment.max_steps"}
# errors that constructors raise for wrong arguments; a TypeError is an unknown argument
REFUSALS = (gymnasium.error.Error, ImportError, TypeError, ValueError, KeyError, AssertionError)


def make(config: GymnasiumConfig) -> gymnasium.Env[np.ndarray, Any]:
    """The environment with its observations flattened to `[X]`, and its time limit.

    Only registered environments are created: an id that names a module ("module:Name-v0") would let a config import it.

    Raises
    ------
    ValueError: the id is unknown, a dependency is missing, an argument is refused, or a space is not supported.
    """
    _require_known(config.id)
    for name in RESERVED.keys() & config.kwargs.keys():
        raise ValueError(f"environment.kwargs.{name} is not the environment's own argument; set {RESERVED[name]}")
    try:
        environment = gymnasium.make(config.id, max_episode_steps=config.max_steps, **config.kwargs)
    except REFUSALS as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"environment.id={config.id} could not be created: {reason} ({type(error).__name__})") from error
    _require_flat(config.id, environment.observation_space)
    _require_supported(config.id, environment.action_space)
    return gymnasium.wrappers.FlattenObservation(environment)


def _require_known(name: str) -> None:
    if ":" in name:
        module, _, rest = name.partition(":")
        raise ValueError(
            f"environment.id={name} names a module to import, and configs hold no import paths; "
            f"let a recframe plugin import {module}, and use environment.id={rest}"
        )
    if name in gymnasium.registry:
        return
    close = difflib.get_close_matches(name, list(gymnasium.registry), n=2)
    meant = f"; did you mean {' or '.join(close)}?" if close else "."
    raise ValueError(
        f"environment.id={name} is not registered with Gymnasium{meant} Its own ids are those of gymnasium.pprint_registry(); "
        "another package's are registered by a recframe plugin that imports it"
    )


def _require_flat(name: str, space: spaces.Space[Any]) -> None:
    if not space.is_np_flattenable or _holds_text(space):
        raise ValueError(
            f"environment.id={name} observes {space}, which is not a fixed-size vector of numbers; wrap it so that it observes a Box"
        )


def _holds_text(space: spaces.Space[Any]) -> bool:
    parts = space.values() if isinstance(space, Mapping) else getattr(space, "spaces", ())
    return isinstance(space, spaces.Text) or any(_holds_text(part) for part in parts)


def _require_supported(name: str, space: spaces.Space[Any]) -> None:
    refusal = ""
    if isinstance(space, spaces.Box):
        if not np.issubdtype(space.dtype, np.floating):
            refusal = f"a Box of whole numbers ({space.dtype})"
        elif not (space.is_bounded("both") and (space.low < space.high).all()):
            refusal = f"a Box that is unbounded or flat, {space}"
    elif not isinstance(space, spaces.Discrete):
        refusal = f"{space}"
    if refusal:
        raise ValueError(f"environment.id={name} takes actions from {refusal}; recframe supports Discrete and bounded Box spaces of floats")


def action_spec(space: spaces.Space[Any]) -> dict[str, Any]:
    """The fields of `EnvironmentSpec` that describe the actions."""
    if isinstance(space, spaces.Discrete):
        return {"num_items": int(space.n)}
    assert isinstance(space, spaces.Box)
    low, high = (tuple(bound.ravel().tolist()) for bound in (space.low, space.high))
    return {"num_items": 1, "actions": "continuous", "action_low": low, "action_high": high}


def native_actions(space: spaces.Space[Any], actions: Tensor) -> np.ndarray:
    """Item numbers `[N, 1]` or points `[N, A]` in the form of the environment's own space; points out of bounds are clipped."""
    values: np.ndarray = actions.numpy(force=True)
    if isinstance(space, spaces.Discrete):
        numbers: np.ndarray = values[:, 0].astype(space.dtype) + space.start
        return numbers
    assert isinstance(space, spaces.Box)
    clipped: np.ndarray = np.clip(values.reshape(-1, *space.shape), space.low, space.high).astype(space.dtype)
    return clipped
