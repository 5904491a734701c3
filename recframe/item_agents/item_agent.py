"""What the agents that score items share: which items a decision or an update looks at, and their vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.agent_options import WorkingSetConfig
from recframe.components import require_consistent
from recframe.interfaces import Agent, Decision, EnvironmentSpec, Observation, Transition
from recframe.item_agents.working_set import Items, WorkingSet


class ItemAgent(Agent):
    """An agent that decides and learns over the whole of a small catalogue, and over working sets of a large one.

    A subclass says how in `decide` and `learn`, in terms of the items it is handed: numbers in observations, slates and batches are
    theirs. Without exploring, decisions are over the whole catalogue, however large.

    Parameters
    ----------
    searched: whether it finds the items it chooses in an index of all; see `WorkingSet`.
    """

    def __init__(self, config: WorkingSetConfig, spec: EnvironmentSpec, *, seed: int, searched: bool = False) -> None:
        super().__init__(spec, seed)
        require_consistent(config)
        self.working_set = WorkingSet(config, spec, searched)
        self._acting: tuple[Items, Any] | None = None

    @abstractmethod
    def project(self, items: Items) -> Any:
        """The vectors of `items` that `decide` needs; computed once for as long as neither the items nor the weights change."""

    @abstractmethod
    def decide(self, observation: Observation, items: Items, vectors: Any, explore: bool) -> Decision:
        """What to show of `items`, whose vectors are as `project` gives them. Called without gradients."""

    @abstractmethod
    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch; see `Agent.losses`."""

    def prepare_to_act(self) -> None:
        """Begin a chunk: the items are projected, and in a large catalogue chosen, by its first decision."""
        self._acting = None
        self.working_set.start_chunk()

    def texts_moved(self) -> None:
        """Drop the projected items."""
        self._acting = None

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The decision over all items, or, exploring, over the chunk's."""
        items = self.working_set.whole
        if explore:
            items, observation = self.working_set.for_acting(observation, self.generator)
        if self._acting is None or self._acting[0] is not items:
            self._acting = items, self.project(items)
        decision = self.decide(observation, items, self._acting[1], explore)
        if self.spec.actions == "continuous":
            return decision
        slate = items.in_catalog(decision.slate)
        if explore:
            self.working_set.remember(slate)
        return decision._replace(slate=slate)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch over the items that are chosen for it."""
        self._acting = None  # the coming steps change the weights that items were projected with
        items, batch = self.items_to_learn(batch)
        yield from self.learn(batch, items)

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """The items to learn from a batch over, and the batch in their numbers; for agents that replay, a working set of its own."""
        return self.working_set.for_learning(batch, self.generator)

    def get_extra_state(self) -> dict[str, Any]:
        """The agent's, and what was shown lately."""
        return super().get_extra_state() | {"shown": self.working_set.shown}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self.working_set.resume(state["shown"])
        self._acting = None
