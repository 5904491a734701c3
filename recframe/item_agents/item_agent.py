"""The base of agents that score items: it selects the items that a decision or an update uses, and caches their vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.agent_options import WorkingSetConfig
from recframe.components import require_consistent
from recframe.interfaces import Agent, Decision, EnvironmentSpec, Observation, Transition
from recframe.item_agents.search import ItemScores, as_ranking
from recframe.item_agents.working_set import Items, WorkingSet


class ItemAgent(Agent):
    """An agent that decides and learns over the whole of a small catalogue, and over working sets of a large one.

    A subclass implements `project`, `decide` and `learn` for the `Items` it is handed: the item numbers in observations, slates and
    batches are numbers of these items. Without exploration, decisions are over the whole catalogue, however large. An agent that can
    rank items also implements `greedy`, on which its decisions without exploration can rest, too.

    Parameters
    ----------
    uses_index: whether the agent finds the items it chooses in an index of the whole catalogue; see `WorkingSet`.
    """

    def __init__(self, config: WorkingSetConfig, spec: EnvironmentSpec, *, seed: int, uses_index: bool = False) -> None:
        super().__init__(spec, seed)
        require_consistent(config)
        self.working_set = WorkingSet(config, spec, uses_index)
        self._acting: tuple[Items, Any] | None = None
        self._prior: Callable[[Observation], Tensor] | None = None

    def use_prior(self, prior: Callable[[Observation], Tensor]) -> None:
        """Read the log-probabilities `[N, C]` of the candidates from `prior` (see `Observation.prior`).

        For agents that were built with `EnvironmentSpec.prior_weight`. It is no part of the agent: copies share it, and it is not saved.
        """
        self._prior = prior

    @torch.no_grad()
    def completed(self, observation: Observation) -> Observation:
        """The observation with the prior over its candidates, if the agent has one."""
        if self._prior is None or observation.candidates is None or observation.prior is not None:
            return observation
        copy: Observation = observation.clone(recurse=False)
        copy.prior = self._prior(observation)
        return copy

    @abstractmethod
    def project(self, items: Items) -> Any:
        """The vectors of `items` that `decide` needs; computed once for as long as neither the items nor the weights change."""

    @abstractmethod
    def decide(self, observation: Observation, items: Items, vectors: Any, explore: bool) -> Decision:
        """The slates to show out of `items`, whose `vectors` are the result of `project`. Called without gradients."""

    def greedy(self, observation: Observation, items: Items, vectors: Any, k: int) -> Tensor:
        """The k <= M items to show first without exploration, best first, `[N, k]`; those that may not be shown come last."""
        raise NotImplementedError(f"{type(self).__name__} does not rank items: it implements no greedy(observation, items, vectors, k)")

    def scored(self, observation: Observation, items: Items, vectors: Any) -> ItemScores | None:
        """The scores by which `greedy` orders items, if it does by scores."""
        return None

    @abstractmethod
    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch; see `Agent.losses`."""

    def prepare_to_act(self) -> None:
        """Begin a chunk: its first decision projects the items and, in a large catalogue, draws a working set."""
        self._acting = None
        self.working_set.start_chunk()

    def texts_moved(self) -> None:
        """Drop the projected items."""
        self._acting = None

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The decision over all items, or, in exploration, over the chunk's working set."""
        items, observation = self.working_set.whole, self.completed(observation)
        if explore:
            items, observation = self.working_set.for_acting(observation, self.generator)
        decision = self.decide(observation, items, self._projected(items), explore)
        if self.spec.actions == "continuous":
            return decision
        slate = items.in_catalog(decision.slate)
        if explore:
            self.working_set.record_shown(slate)
        return decision._replace(slate=slate)

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k items that `greedy` finds best in the whole catalogue, `[N, k]`; `PAD` where fewer may be shown."""
        items, observation = self.working_set.whole, self.completed(observation)
        best = self.greedy(observation, items, self._projected(items), min(k, items.num_items))
        return as_ranking(observation, best, items.num_items, k)

    def scores_of_catalogue(self, observation: Observation) -> ItemScores | None:
        """The scores of all items by which they are ranked, not computed yet; None: they are not ranked by scores.

        With a gradient, if that is enabled: explanations ask for it.
        """
        whole = self.working_set.whole
        return self.scored(self.completed(observation), whole, self._projected(whole))

    @torch.no_grad()
    def scores_of_items(self, observation: Observation, items: Tensor) -> Tensor | None:
        """The scores `[N, C]` of `items` `[N, C]` by which they are ranked, if they are ranked by scores."""
        scores = self.scores_of_catalogue(observation)
        return None if scores is None else scores.of(items)

    @torch.no_grad()
    def scores_of_all(self, observation: Observation) -> Tensor | None:
        """The scores `[N, M]` of all items, by one product with their vectors."""
        scores = self.scores_of_catalogue(observation)
        return None if scores is None else scores.between(0, self.spec.num_items)

    @torch.no_grad()
    def exploring_items(self, observation: Observation, k: int) -> Tensor:
        """The slates of `decide` with exploration, over all items however large the catalogue is."""
        whole = self.working_set.whole
        return self.decide(self.completed(observation), whole, self._projected(whole), explore=True).slate

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch over the items that are selected for it."""
        self._acting = None  # the optimizer steps change the weights that items were projected with
        items, batch = self.items_to_learn(batch)
        yield from self.learn(batch, items)

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """The items to learn from a batch over, and the batch in their numbers; by default, a working set for each batch."""
        return self.working_set.for_learning(batch, self.generator)

    def _projected(self, items: Items) -> Any:
        """The result of `project`, computed once for as long as the items and the weights stay."""
        if self._acting is None or self._acting[0] is not items:
            self._acting = items, self.project(items)
        return self._acting[1]

    def get_extra_state(self) -> dict[str, Any]:
        """The state of `Agent`, and the items shown recently."""
        return super().get_extra_state() | {"shown": self.working_set.shown}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self.working_set.restore(state["shown"])
        self._acting = None
