"""The same list of items for every user as an agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    NoExperience,
    Observation,
    Rollout,
    StateTracker,
    Transition,
    random_items,
    without_questions,
)
from recframe.item_agents.exploration import random_log_prob
from recframe.item_agents.search import as_ranking
from recframe.references.fixed_slate import ItemList
from recframe.references.item_means import shrunk_means
from recframe.references.ranking import ranked
from recframe_plugins.agents.baselines.config import FixedSlateConfig


class FixedSlate(Agent):
    """Shows every user the same list of L >= K items, K a turn, starting after the item shown last, and from the start again at its end.

    If not everything may be shown, it shows the first K items of the list that may be; items that are not on the list come last. The
    list is the given one, or the items with the highest mean reward (`shrunk_means`) among random recommendations in training. It asks no
    questions.

    Raises
    ------
    ValueError: the list holds an unknown id, an id twice, or fewer items than a slate.
    """

    sums: Tensor
    counts: Tensor

    def __init__(self, config: FixedSlateConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.shrinkage = config.shrinkage
        self.given = (
            _item_numbers(config.item_ids, state_tracker.data.catalog.ids[: spec.first_question], spec) if config.item_ids else None
        )
        self.items = spec.first_question
        self.length = min(config.length, self.items)
        if self.length < spec.slate_size:
            raise ValueError(f"agent.length is {config.length}, but a slate has {spec.slate_size} items; it must be at least as long")
        self.register_buffer("sums", torch.zeros(self.items, dtype=torch.float64, device=spec.device))
        self.register_buffer("counts", torch.zeros(self.items, dtype=torch.float64, device=spec.device))
        self._item_list: ItemList | None = None

    @property
    def experience(self) -> Experience:
        """Every step once, or no experience if the list is given."""
        return Rollout() if self.given is None else NoExperience()

    @property
    def item_list(self) -> ItemList:
        """The list; it is kept until new rewards are learned."""
        if self._item_list is None:
            means = self.mean_rewards()
            self._item_list = ItemList(ranked(means)[: self.length] if self.given is None else self.given, means)
        return self._item_list

    def mean_rewards(self) -> Tensor:
        """Mean reward of each item where it was shown, shrunk to the overall mean, float64 `[M]`."""
        return shrunk_means(self.sums, self.counts, self.sums.sum() / self.counts.sum().clamp(min=1.0), self.shrinkage)

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The next slate of the list, or in training random slates to learn from."""
        items, k = self.items, self.spec.slate_size
        observation = without_questions(observation, items)
        if explore and self.given is None:
            return Decision(random_items(observation, items, k, self.generator), random_log_prob(observation, items, k))
        start = self.item_list.position_after(observation.history_items[:, -1:])
        return Decision(self.item_list.next_slates(observation, start, k))

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The next items of the list, `[N, k]`, and then those that are not on it."""
        items = self.items
        observation = without_questions(observation, items)
        start = self.item_list.position_after(observation.history_items[:, -1:])
        return as_ranking(observation, self.item_list.next_slates(observation, start, min(k, items)), items, k)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the rewards of the rollout are added to the sums."""
        shown, reward = batch.slate.flatten(), batch.item_reward.flatten().double()
        self.sums.index_add_(0, shown, reward)
        self.counts.index_add_(0, shown, torch.ones_like(reward))
        self._item_list = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers: means have a closed form."""
        return {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load a saved state, and discard the list of the previous rewards."""
        super().set_extra_state(state)
        self._item_list = None


def _item_numbers(ids: list[str], catalog_ids: list[str], spec: EnvironmentSpec) -> Tensor:
    """The numbers `[L]` of the items with these ids."""
    numbers = {name: number for number, name in enumerate(catalog_ids)}
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        raise ValueError(f"agent.item_ids: no item of the catalogue has the id {unknown[0]!r}; ids look like {catalog_ids[0]!r}")
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ValueError(f"agent.item_ids: {twice!r} is listed more than once")
    if len(ids) < spec.slate_size:
        raise ValueError(f"agent.item_ids: {len(ids)} items are listed, but a slate has {spec.slate_size}; list at least as many")
    return torch.tensor([numbers[name] for name in ids], device=spec.device)
