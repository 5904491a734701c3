"""Agents: policies and their learning rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces.environment import EnvironmentSpec
from recframe.interfaces.experience import Experience
from recframe.interfaces.generators import restore_generator
from recframe.interfaces.logs import Log
from recframe.interfaces.types import Observation

StageName = Literal["logged", "simulated"]
"""A stage of a run: learning from a log, or in a simulator."""


class Decision(NamedTuple):
    """What an agent shows.

    slate: `[N, K]` int64, best first, or the action, `[N, A]` float32, with continuous actions.
    log_prob: `[N]` float32, the log-probability of choosing it, or None: it has none.
    """

    slate: Tensor
    log_prob: Tensor | None = None


class Agent(nn.Module, ABC):
    """A policy and its learning rule.

    Implement:

    - `experience` (property): where training batches come from: a `Replay`, `Rollout`, `Sequences`, `WholeLog` or `NoExperience`.
    - `act(observation, explore)`: a `Decision`: the slate `[N, K]` (or action `[N, A]`) and its log-probability `[N]`.
    - `losses(batch)`: yields `(optimizer name, scalar loss)`, one per optimizer step.
    - `optimizers()`: the optimizers by these names.

    Optional: `experience_in`, for an agent that learns from other batches in another stage; `rank`, for an evaluation on logs (with the
    tag `ranks`), `scores_of_items` and `scores_of_all`; `completed`, `exploring_items`, `prepare_to_learn`, `prepare_to_act`,
    `texts_moved`, `priorities`, `diagnostics`; `get_extra_state` and `set_extra_state` for state that is neither a parameter nor a buffer.

    Built as `factory(config, spec, state_tracker, seed=seed)`.

    Register the tracker and every network as a submodule: the training module saves, moves and restores what `state_dict` contains. A
    submodule with buffers whose shapes are learned has an attribute `learns_shapes = True`, and takes over the shapes that it loads. If
    it can go on with further items at the end of the catalogue, it has a method `extend_items(num_items)`, called after loading. A
    submodule that reads the words of profiles or contexts by their rows has a method `appended_texts(role, first, texts)`, which lets it
    read further texts, from row `first` on, within a `with` block. Draw all random numbers from `self.generator`. It is saved with the
    weights, as is `self.env_steps`, the number of user-steps taken in training so far; schedules such as exploration's are functions of it.
    """

    reads_whole_history: bool = False
    """Whether `rank` is given the whole history of a user, however long, in place of the last `EnvironmentSpec.history_length` items."""

    @property
    @abstractmethod
    def experience(self) -> Experience:
        """Where the training batches come from."""

    @abstractmethod
    def act(self, observation: Observation, explore: bool) -> Decision:
        """Choose what to show each user. Called without gradients; only items among the observation's candidates may be shown."""

    @abstractmethod
    def losses(self, batch: Any) -> Iterator[tuple[str, Tensor]]:
        """Yield `(optimizer name, loss)` pairs, scalars, one per optimizer step.

        `batch` is what `experience` asks for: a `Transition` for `Replay` and `Rollout`, a `SequenceBatch` for `Sequences`, the `Log` for
        `WholeLog`.

        At each yield the training module clears that optimizer's gradients, runs backward, clips and steps, before it asks for the next
        loss: a critic is updated before the actor's loss is computed. Code after the last yield runs after the last
        step (update target networks there).

        An agent that learns in closed form, by counting or by least squares, has no optimizers: it updates its buffers here and yields
        nothing.
        """

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizers by the names that `losses` yields; empty if nothing is learned by gradients."""

    def __init__(self, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.env_steps = 0
        self.generator = torch.Generator(spec.device)
        self.generator.manual_seed(seed)

    def experience_in(self, stage: StageName) -> Experience:
        """Where the training batches of a stage come from; by default `experience`, whatever the stage.

        An agent that learns by different rules from a log and in a simulator overrides it.
        """
        return self.experience

    def completed(self, observation: Observation) -> Observation:
        """The observation with what the agent itself adds to it, such as `Observation.prior`; by default unchanged.

        Called without gradients on what is stored and learned from, so that it is computed once. `act` and `rank` may be given observations
        that are not completed.
        """
        return observation

    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k items of each user to recommend first, `[N, k]` int64, best first, of those that may be shown.

        Called without gradients, after `prepare_to_act`, without exploration. k may be larger than `EnvironmentSpec.slate_size`; where
        fewer than k items may be shown, the rest is `PAD`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not rank items: it implements no rank(observation, k)")

    def scores_of_items(self, observation: Observation, items: Tensor) -> Tensor | None:
        """The scores `[N, C]` of `items` `[N, C]` by which `rank` orders them, the largest first; None: it orders them by something else.

        Called without gradients, after `prepare_to_act`.
        """
        return None

    def scores_of_all(self, observation: Observation) -> Tensor | None:
        """The scores `[N, M]` of all items by which `rank` orders them, up to a constant for each user; None: as for `scores_of_items`.

        Called without gradients, after `prepare_to_act`. An agent that can score a whole catalogue faster than item by item overrides it.
        """
        items = torch.arange(self.spec.num_items, device=self.spec.device)
        return self.scores_of_items(observation, items.expand(len(observation.user), -1))

    def exploring_items(self, observation: Observation, k: int) -> Tensor:
        """Items `[N, j]` that the agent would show when it explores, best first, for a policy that is deployed; j may be less than k.

        Called without gradients, after `prepare_to_act`. Nothing is learned from what is shown. By default the slates of
        `act(observation, explore=True)`; an agent whose exploration is a random ranking overrides it, and gives k items.
        """
        return self.act(observation, explore=True).slate

    def prepare_to_learn(self, log: Log) -> None:
        """Called once before the batches of a logged stage, also of a resumed one, with the log that all of them are drawn from.

        For an agent whose batches do not say what it must know of the whole log, such as which items can occur.
        """

    def prepare_to_act(self) -> None:
        """Called before a series of `act` calls between which no weight changes: project all items once here."""

    def texts_moved(self) -> None:
        """Called when text vectors were replaced because the language model behind them was tuned: drop what was computed from them."""

    def priorities(self) -> Tensor | None:
        """How much there is still to learn from each transition of the last batch, `[B]` float32 >= 0, without a gradient.

        Prioritized replay calls it after the last yield of `losses`. None: unknown.
        """
        return None

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Scalars to log, such as epsilon or the mean value estimate; read once per logging interval."""
        return {}

    def get_extra_state(self) -> dict[str, Any]:
        """The generator's state and the step count, saved with the weights."""
        return {"generator": self.generator.get_state(), "env_steps": self.env_steps}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved generator state and step count."""
        restore_generator(self.generator, state["generator"])
        self.env_steps = int(state["env_steps"])
