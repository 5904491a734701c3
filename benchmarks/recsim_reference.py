"""RecSim's and SARDINE's own environments, whose behaviour and speed recframe's are compared with.

    pip install --no-deps recsim==0.2.4 gin-config sardine-rec==1.0.8
    python benchmarks/recsim_reference.py --seconds 5

RecSim (Ie et al. 2019, arXiv:1909.04847) needs old versions of gym, absl and TensorFlow. Its environments use little of them: gym's spaces
and base class, which Gymnasium has, absl's logging, `six.add_metaclass`, and gin's decorator. While RecSim is imported, small stand-ins
replace these modules and its runner of TensorFlow agents; afterwards they are removed. The environments run as published.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium
import numpy as np

INSTALL = "pip install --no-deps recsim==0.2.4 gin-config sardine-rec==1.0.8"
RECSIM_ENVIRONMENTS = ("interest_evolution", "interest_exploration", "long_term_satisfaction")
SARDINE_ENVIRONMENTS = ("sardine/SingleItem-Static-v0", "sardine/SlateTopK-Bored-v0", "sardine/SlateRerank-Bored-v0")
RANDOM_ACTIONS = 1024


class NotInstalled(RuntimeError):
    """A reference library is not installed; the message says how to install it."""


def recsim_environment(name: str, slate_size: int, num_candidates: int, resample_documents: bool, seed: int) -> Any:
    """RecSim's environment `name`, one of `RECSIM_ENVIRONMENTS`, made by its `create_environment`.

    It has the old gym interface: `reset()` returns an observation, `step(slate)` returns (observation, reward, done, info), and a slate is
    a list of positions in the candidate set. RecSim draws users and documents from two generators of its own, and choices and transitions
    from numpy's global one: `seed` sets all three, so two environments in turn are repeatable and two at once are not. RecSim itself
    gives the first two the same seed (0 in long_term_satisfaction, whatever is asked for), so that they draw the same numbers;
    here each has its own.

    Raises
    ------
    NotInstalled: RecSim or gin is missing.   ValueError: RecSim has no environment of that name.
    """
    if name not in RECSIM_ENVIRONMENTS:
        raise ValueError(f"RecSim has no environment {name!r}; it has {', '.join(RECSIM_ENVIRONMENTS)}")
    made = recsim_module(name).create_environment(
        {"slate_size": slate_size, "num_candidates": num_candidates, "resample_documents": resample_documents, "seed": seed}
    )
    users, documents, choices = (int(word) for word in np.random.SeedSequence(seed).generate_state(3))
    made.environment.user_model._user_sampler._seed = users
    made.environment._document_sampler._seed = documents
    made.reset_sampler()
    made.seed(choices)
    return made


def sardine_environment(identifier: str) -> gymnasium.Env[Any, Any]:
    """SARDINE's environment with a registered identifier, such as those in `SARDINE_ENVIRONMENTS`.

    Raises
    ------
    NotInstalled: SARDINE is missing.   gymnasium.error.Error: SARDINE has no environment of that identifier.
    """
    try:
        importlib.import_module("sardine")  # registers the identifiers
    except ModuleNotFoundError as error:
        raise NotInstalled(f"SARDINE cannot be imported ({error}); to install it: {INSTALL}") from None
    return gymnasium.make(identifier, disable_env_checker=True)


def recsim_steps_per_second(name: str, slate_size: int, seconds: float, num_candidates: int = 10) -> float:
    """Steps per second of one RecSim environment under random slates of different candidates, drawn beforehand; resets are included."""
    environment = recsim_environment(name, slate_size, num_candidates, resample_documents=True, seed=0)

    def step(action: np.ndarray) -> bool:
        return bool(environment.step(action)[2])

    return _steps_per_second(step, environment.reset, _random_slates(num_candidates, slate_size), seconds)


def sardine_steps_per_second(identifier: str, seconds: float) -> float:
    """Steps per second of one SARDINE environment under random slates of different items, drawn beforehand; resets are included."""
    environment = sardine_environment(identifier)
    sardine: Any = environment.unwrapped

    def step(action: np.ndarray) -> bool:
        _, _, terminated, truncated, _ = environment.step(action)
        return terminated or truncated

    environment.reset(seed=0)
    return _steps_per_second(step, environment.reset, _random_slates(sardine.num_items, sardine.slate_size), seconds)


@cache
def recsim_module(name: str) -> ModuleType:
    """RecSim's module of an environment, imported with stand-ins for dependencies that it hardly uses.

    Raises
    ------
    NotInstalled: RecSim or gin is missing.
    """
    try:
        gin = importlib.import_module("gin")
        with _stand_ins(gin):
            return importlib.import_module(f"recsim.environments.{name}")
    except ModuleNotFoundError as error:
        raise NotInstalled(f"RecSim cannot be imported ({error}); to install it: {INSTALL}") from None


@contextmanager
def _stand_ins(gin: ModuleType) -> Iterator[None]:
    """Put the stand-ins into `sys.modules` within the block, so that no other code imports them instead of the real modules."""
    stand_ins: dict[str, Any] = {
        "absl": SimpleNamespace(flags=SimpleNamespace(FLAGS=None), logging=logging.getLogger("recsim")),
        "gym": SimpleNamespace(Env=gymnasium.Env, spaces=gymnasium.spaces),
        "gin": gin,
        "gin.tf": ModuleType("gin.tf"),
        "recsim.simulator.runner_lib": ModuleType("recsim.simulator.runner_lib"),
        # the decorator only refuses classes with abstract methods
        "six": SimpleNamespace(add_metaclass=lambda metaclass: lambda decorated: decorated),
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _random_slates(choices: int, size: int) -> np.ndarray:
    """`RANDOM_ACTIONS` slates `[size]` of different numbers below `choices`."""
    rng = np.random.default_rng(0)
    return np.stack([rng.choice(choices, size, replace=False) for _ in range(RANDOM_ACTIONS)])


def _steps_per_second(step: Callable[[np.ndarray], bool], reset: Callable[[], Any], actions: np.ndarray, seconds: float) -> float:
    """Time `step`, which returns whether the episode is over, for about `seconds`, after a warm-up with all actions."""

    def round_of_actions() -> None:
        for action in actions:
            if step(action):
                reset()

    reset()
    round_of_actions()
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        round_of_actions()
        steps += len(actions)
    return steps / elapsed


def main() -> None:
    """Measure all environments and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="time of each measurement")
    seconds = parser.parse_args().seconds
    try:
        for name in RECSIM_ENVIRONMENTS:
            for slate_size in (1, 2):
                print(f"RecSim {name}, slates of {slate_size}: {recsim_steps_per_second(name, slate_size, seconds):,.0f} steps/s")
        for identifier in SARDINE_ENVIRONMENTS:
            print(f"SARDINE {identifier}: {sardine_steps_per_second(identifier, seconds):,.0f} steps/s")
    except NotInstalled as missing:
        parser.exit(2, f"{missing}\n")


if __name__ == "__main__":
    main()
