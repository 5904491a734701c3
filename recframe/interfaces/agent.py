"""Agents: what to show, and what to learn from what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces.environment import EnvironmentSpec
from recframe.interfaces.types import Observation, Transition


class Decision(NamedTuple):
    """What an agent shows: `slate` `[N, K]` int64, best first, and `log_prob` `[N]` of choosing it (None: it has none).

    Where actions are continuous, `slate` is the action, `[N, A]` float32.
    """

    slate: Tensor
    log_prob: Tensor | None = None


@dataclass(frozen=True)
class Replay:
    """Learn from transitions sampled from the last `capacity`.

    After each chunk, once `learning_starts` transitions are held, `updates_per_chunk` batches of `batch_size` are drawn: uniformly, or with
    probabilities in proportion to priorities to the power of `priority_exponent` (alpha; 0: uniformly), weighted by importance to the
    power of `importance_exponent` (beta; Schaul et al., 2016), which stays, or rises linearly to 1 while `importance_anneal_steps`
    transitions are collected. `n_step` > 1 joins up to so many successive transitions of a user into one, discounted by `gamma`
    (Sutton, 1988).
    """

    capacity: int
    batch_size: int
    learning_starts: int
    updates_per_chunk: int
    n_step: int = 1
    gamma: float = 1.0
    priority_exponent: float = 0.0
    importance_exponent: float = 0.4
    importance_anneal_steps: int | None = None


@dataclass(frozen=True)
class Rollout:
    """Learn on-policy: each chunk is handed to `losses` once, whole, as a `[T, N]` transition in order of time, then dropped."""


@dataclass(frozen=True)
class NoExperience:
    """Nothing to learn: the agent only acts."""


Experience = Replay | Rollout | NoExperience


class Agent(nn.Module, ABC):
    """A policy and its learning rule.

    Built as `factory(config, spec, state_tracker, seed=seed)`. Register the tracker and every network as a submodule: the training module
    saves, moves and restores what `state_dict` holds. Randomness comes from `self.generator`, which is saved with the weights, as is
    `self.env_steps`, the user-steps taken so far in training: schedules such as exploration's are functions of it.
    """

    def __init__(self, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.env_steps = 0
        self.generator = torch.Generator(spec.device)
        self.generator.manual_seed(seed)

    @property
    @abstractmethod
    def experience(self) -> Experience:
        """Where its training batches come from."""

    @abstractmethod
    def act(self, observation: Observation, explore: bool) -> Decision:
        """What to show each user. Called without gradients; only items among the observation's candidates may be shown."""

    @abstractmethod
    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """Yield `(optimizer name, loss)` pairs, scalars, one per optimizer step.

        The training module clears that optimizer's gradients, runs backward, clips and steps at each yield before it asks for the next
        loss: a critic is updated before the actor's loss is computed. Code after the last yield runs after the last
        step (target-network updates go there).

        An agent that learns in closed form, by counting or by least squares, has no optimizers: it updates its buffers here, and yields
        nothing.
        """

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers by the names that `losses` yields; empty if nothing is learned, or nothing by gradients."""

    def prepare_to_act(self) -> None:
        """Called before a series of `act` between which no weight changes: the place to project all items once."""

    def texts_moved(self) -> None:
        """Called when text vectors were replaced, since the language model behind them was tuned: drop what was computed from them."""

    def priorities(self) -> Tensor | None:
        """How much is still to be learned from each transition of the last batch, `[B]` float32 >= 0, without a gradient.

        Prioritized replay asks for it, after the last yield of `losses`. None: not known.
        """
        return None

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Scalars worth a curve, such as epsilon or the mean value estimate; read once per logging interval."""
        return {}

    def get_extra_state(self) -> dict[str, Any]:
        """The generator's state and the step count, saved beside the weights."""
        return {"generator": self.generator.get_state(), "env_steps": self.env_steps}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved generator and step count."""
        self.generator.set_state(state["generator"].cpu())
        self.env_steps = int(state["env_steps"])
