"""The plainest recommenders as agents: what a learned policy must beat, trained, saved and evaluated as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import (
    PAD,
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    NoExperience,
    Observation,
    Rollout,
    StateTracker,
    Transition,
    is_excluded,
    random_items,
)
from recframe.item_agents.exploration import random_log_prob
from recframe_plugins.agents.bandits.bandits import LinearBandit
from recframe_plugins.agents.baselines.config import FixedSlateConfig, GreedyRewardConfig, PopularConfig


class Popular(Agent):
    """The most popular items that are not among those lately shown, by the catalogue's popularity.

    Where all that may be shown was shown lately, it starts again with the most popular.
    """

    def __init__(self, config: PopularConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.ranking = _ranked(state_tracker.data.catalog.popularity)
        self.places = _places(self.ranking)

    @property
    def experience(self) -> Experience:
        """None is needed."""
        return NoExperience()

    def act(self, observation: Observation, explore: bool) -> Decision:
        """The popular slates; memory grows with history, slate and exclusions, not with the catalogue."""
        history = observation.history_items
        # of the K + H + E most popular, at least K are neither in a history of H nor among E excluded ones
        first = self.ranking[: self.spec.slate_size + history.shape[1] + _num_excluded(observation)]
        items = first.expand(len(history), -1) if observation.candidates is None else observation.candidates
        seen = (items[:, :, None] == history[:, None, :]).any(dim=2)
        return Decision(_first_items(observation, items, self.places[items] + seen * len(self.ranking), self.spec.slate_size))

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses."""
        return iter(())

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers."""
        return {}


class GreedyReward(LinearBandit):
    """Shows the items of the highest expected immediate reward, and does not plan.

    In training it shows random items: the model is fitted on what no policy has selected. By chance alone, a large catalogue repeats
    nothing, and what repetition does could not be learned, so a share of the slates repeats an item of the history.
    """

    def __init__(self, config: GreedyRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.repeats = config.repeats

    def explore(self, observation: Observation) -> Decision:
        """Random slates, some with a random item of the history in a random place."""
        slate, history = random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator), observation.history_items
        luck = torch.rand(3, len(slate), 1, generator=self.generator, device=slate.device)
        item = history.gather(1, (luck[0] * history.shape[1]).long())
        place = (luck[1] * slate.shape[1]).long()
        possible = (item != PAD) & ~(slate == item).any(dim=1, keepdim=True) & ~is_excluded(observation, item)
        if observation.candidates is not None:
            possible &= (observation.candidates == item).any(dim=1, keepdim=True)
        repeats = possible & (luck[2] < self.repeats)
        return Decision(slate.scatter(1, place, torch.where(repeats, item, slate.gather(1, place))))


class Order(NamedTuple):
    """All items `[M]` with those of the list first, each item's place `[M + 1]` among them, and the list's length."""

    ranking: Tensor
    places: Tensor
    length: int


class FixedSlate(Agent):
    """Shows everybody the same list of L >= K items, K a turn, going on behind the item last shown, and from the start again at its end.

    Where not everything may be shown, the first K on the list that may; items that are not on it come last. The list is the one
    given, or the items of the highest mean reward, `(sum_i + s m) / (n_i + s)` with the overall mean m and the shrinkage s, among random
    recommendations in training: an item shown once is not the best because it was lucky.

    Raises
    ------
    ValueError: the list holds an id that no item has, an id twice, or less than a slate.
    """

    def __init__(self, config: FixedSlateConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.shrinkage = config.shrinkage
        self.given = _numbers(config.item_ids, state_tracker.data.catalog.ids, spec) if config.item_ids else None
        self.length = min(config.length, spec.num_items)
        if self.length < spec.slate_size:
            raise ValueError(f"agent.length is {config.length}, and a slate is {spec.slate_size}: it must be as long at least")
        self.register_buffer("sums", torch.zeros(spec.num_items, dtype=torch.float64, device=spec.device))
        self.register_buffer("counts", torch.zeros(spec.num_items, dtype=torch.float64, device=spec.device))
        self._order: Order | None = None

    @property
    def experience(self) -> Experience:
        """Every step once; none, where the list is given."""
        return Rollout() if self.given is None else NoExperience()

    @property
    def tape(self) -> Tensor:
        """The list, `[L]` int64."""
        return self.order.ranking[: self.order.length]

    @property
    def order(self) -> Order:
        """The list, and behind it all other items, the best first; kept until something is learned."""
        if self._order is None:
            ranking, length = _ranked(self.mean_rewards()), self.length
            if self.given is not None:
                ranking, length = torch.cat([self.given, ranking[~torch.isin(ranking, self.given)]]), len(self.given)
            self._order = Order(ranking, _places(ranking), length)
        return self._order

    def mean_rewards(self) -> Tensor:
        """Mean reward of each item where it was shown, shrunk to the overall mean, float64 `[M]`."""
        overall = self.sums.sum() / self.counts.sum().clamp(min=1.0)
        return (self.sums + self.shrinkage * overall) / (self.counts + self.shrinkage)

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The slate of the list whose turn it is, or random ones to learn from."""
        items, k = self.spec.num_items, self.spec.slate_size
        if explore and self.given is None:
            return Decision(random_items(observation, items, k, self.generator), random_log_prob(observation, items, k))
        ranking, places, length = self.order
        place = places[observation.history_items[:, -1:]]
        # PAD, and what is not on the list, is followed by its start
        start = torch.where(place < length, place + 1, 0)
        chosen = observation.candidates
        if chosen is None:
            # of the first K + E in a user's order, at least K are not among E excluded ones
            turn = torch.arange(min(k + _num_excluded(observation), items), device=ranking.device)
            chosen = ranking[torch.where(turn < length, (turn + start) % length, turn)]
        place = places[chosen]
        return Decision(_first_items(observation, chosen, torch.where(place < length, (place - start) % length, place), k))

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the rewards of the rollout are counted."""
        shown, reward = batch.slate.flatten(), batch.item_reward.flatten().double()
        self.sums.index_add_(0, shown, reward)
        self.counts.index_add_(0, shown, torch.ones_like(reward))
        self._order = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """None: means are known in closed form."""
        return {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop the list of other rewards."""
        super().set_extra_state(state)
        self._order = None


def _ranked(scores: Tensor) -> Tensor:
    """All items `[M]` by `scores` `[M]`, best first; equals in the order of the catalogue."""
    return scores.argsort(descending=True, stable=True)


def _places(ranking: Tensor) -> Tensor:
    """Each item's place in a ranking, int64 `[M + 1]`; `PAD`, -1, finds the last entry: behind every item, seen or not."""
    places = torch.full((len(ranking) + 1,), 3 * len(ranking), device=ranking.device)
    places[ranking] = torch.arange(len(ranking), device=ranking.device)
    return places


def _first_items(observation: Observation, items: Tensor, places: Tensor, k: int) -> Tensor:
    """Of different `items` `[N, C]` the k of the lowest `places` `[N, C]` that are not excluded, `[N, k]`."""
    places = places.masked_fill(is_excluded(observation, items), torch.iinfo(places.dtype).max)
    # a finished session may have no candidates at all: any item stands in for those
    return items.gather(1, places.topk(k, dim=1, largest=False).indices).clamp(min=0)


def _num_excluded(observation: Observation) -> int:
    """E, or 0 where nothing is excluded."""
    return 0 if observation.excluded is None else observation.excluded.shape[1]


def _numbers(ids: list[str], catalog_ids: list[str], spec: EnvironmentSpec) -> Tensor:
    """The numbers `[L]` of the items of these ids."""
    numbers = {name: number for number, name in enumerate(catalog_ids)}
    unknown = [name for name in ids if name not in numbers]
    if unknown:
        raise ValueError(
            f"agent.item_ids names {unknown[0]!r}, which no item of the catalogue has as its id; one that there is: {catalog_ids[0]!r}"
        )
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ValueError(f"agent.item_ids names {twice!r} more than once")
    if len(ids) < spec.slate_size:
        raise ValueError(f"agent.item_ids names {len(ids)} items, and a slate is {spec.slate_size}: name as many at least")
    return torch.tensor([numbers[name] for name in ids], device=spec.device)
