"""Environments: N simulated users at once, and what is true of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces.data import Data
from recframe.interfaces.types import Observation, Response

Split = Literal["train", "evaluation"]
"""Whose sessions an environment simulates. The people of "evaluation" are never met in "train"."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """The shapes and names that trackers and agents are built for.

    num_users N, slate_size K, history_length H, num_items M; `signals`, the response's names in the order of
    `Observation.history_feedback`; `num_candidates` C (0: the whole catalogue); `num_excluded` E (0: nothing is excluded);
    `num_features` X (0: none); `has_context`; `has_users`, whether `Observation.user` is a row of `Data.users`: where it is not, users
    are nobody in particular, and no profile is theirs.

    Where `actions` are "continuous", what is passed for a slate is `[N, A]` float32 between `action_low` and `action_high` (A numbers
    each), K is 1, signals are `[N, 1]`, and histories hold no items.
    """

    num_users: int
    slate_size: int
    history_length: int
    num_items: int
    signals: tuple[str, ...]
    num_candidates: int = 0
    num_excluded: int = 0
    num_features: int = 0
    has_context: bool = False
    has_users: bool = True
    actions: Literal["items", "continuous"] = "items"
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()
    device: torch.device = torch.device("cpu")

    @property
    def action_size(self) -> int:
        """A, the numbers in a continuous action."""
        return len(self.action_low)

    @property
    def action_shape(self) -> tuple[int, int]:
        """The shape of what `Environment.step` takes: `[N, K]`, or `[N, A]` where actions are continuous."""
        return self.num_users, self.slate_size if self.actions == "items" else self.action_size


class Step(NamedTuple):
    """The outcome of one step.

    response: what the users did.
    next_observation: what the action led to (of a finished user: their last).
    observation: where the next action starts (finished users already replaced by new ones).
    terminated, truncated: `[N]` bool; the session ended of itself, or was cut by a time limit.
    """

    response: Response
    next_observation: Observation
    observation: Observation
    terminated: Tensor
    truncated: Tensor


class Truth(NamedTuple):
    """What the environment would answer now, in expectation, to each item shown alone; kept apart from observations.

    signals: `[N, M]` float32 for each signal's name.     leave: `[N, M]` float32, the probability that the user then leaves.
    """

    signals: dict[str, Tensor]
    leave: Tensor


class Environment(ABC):
    """N users who are shown slates and respond.

    Built as `factory(config, data, num_users=N, history_length=H, split="train" | "evaluation", device=device)`, where `data` carries the
    text vectors, and `split` says whose sessions to simulate: people met in evaluation are never met in training.

    An environment draws all its randomness from its own `torch.Generator`, and draws the same number of times per step
    whatever the slates, so that two policies evaluated from one seed meet the same users and the same luck.
    """

    spec: EnvironmentSpec

    @classmethod
    def own_data(cls, config: Any) -> Data | None:
        """The items of an environment that brings its own, with text vectors; None: the dataset's.

        An environment that returns data declares `provides={"catalog"}`: the run's dataset and encoder are then not used, and the
        environment is built on these data.
        """
        return None

    @property
    def always_excluded(self) -> Tensor | None:
        """The items `[X]` int64 in the last columns of every observation's `excluded`, or None. Replay does not store them."""
        return None

    @abstractmethod
    def reset(self, seed: int) -> Observation:
        """Start N fresh sessions; the same seed gives the same users and, for the same slates, the same sessions."""

    @abstractmethod
    def step(self, slate: Tensor) -> Step:
        """Show `slate` `[N, K]` int64 (numbers in 0..M-1) and observe. Finished users are replaced in the same call.

        Where `spec.actions` are continuous, `slate` is `[N, A]` float32.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The complete state in mid-session, generator included: tensors, numbers, strings, and dicts or lists of them."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Take up a saved state; returns the observation that the next step acts on."""

    def truth(self) -> Truth | None:
        """The true expected responses at this moment, or None where the environment does not know them."""
        return None

    def report(self) -> dict[str, float]:
        """How good the environment itself is, such as a fitted user model's held-out errors; for `result.json` and the terminal."""
        return {}
