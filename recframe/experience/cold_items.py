"""Cold items, which are never shown in training: drawing them, withholding them in any environment, and not storing them in replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import torch
from torch import Tensor

from recframe.attribution import mark, origin_of
from recframe.errors import UserError
from recframe.experience.batch_sources import BatchSource
from recframe.interfaces import PAD, Data, Environment, EnvironmentSpec, Observation, Step, Transition, Truth, may_run_out, runs_out


class ColdItemsError(UserError, ValueError):
    """Items that cannot be withheld from training; the message says why and what to change."""


MAX_ITEMS = 50_000
"""The largest catalogue in which items are withheld: each step reads every user's list of them, N times E numbers."""


@dataclass(frozen=True)
class ColdItems:
    """A share of the catalogue that is never shown in training and is evaluated separately. It is drawn by `seed` alone.

    Questions are no items: they are asked in training, and where only cold items are shown.
    """

    share: float
    seed: int

    def drawn_from(self, num_items: int) -> Tensor:
        """The cold ones of so many items that are no questions, `[X]` int64, ascending.

        Raises
        ------
        ColdItemsError: there would be no cold items, or no others, or the catalogue is too large.
        """
        num_cold = round(self.share * num_items)
        if not 0 < num_cold < num_items:
            amount = "none" if num_cold == 0 else "all"
            raise ColdItemsError(f"cold_items.share: {self.share} of {num_items:,} items is {amount} of them; choose another share")
        if num_items > MAX_ITEMS:
            raise ColdItemsError(
                f"cold_items.share: a catalogue of {num_items:,} items is too large; use {MAX_ITEMS:,} or fewer, or set it to 0"
            )
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randperm(num_items, generator=generator)[:num_cold].sort().values

    def withheld_from(self, environment: Environment) -> Environment:
        """The environment for training, in which no cold item is shown.

        Raises
        ------
        ColdItemsError: actions are not items, or too few items are cold for the separate evaluation, or too few are not.
        """
        spec = environment.spec
        # before drawing: an environment without items has a placeholder catalogue, whose size the user did not choose
        _require_item_actions(spec)
        cold = self.drawn_from(spec.first_question)
        # the evaluation on cold items alone follows training, which would be too late to find them too few
        _require_enough_items(len(cold), spec, "withheld")
        return EnvironmentWithoutItems(environment, cold)

    def hidden_in(self, data: Data) -> Data:
        """The data without what nobody knows of an item that was never shown, for agents and reference policies; texts stay.

        A cold item's popularity is the mean of the others', logged interactions with it are left out, and so is the matrix of ratings,
        which agents have no use for.
        """
        catalog = data.catalog
        items = catalog.first_question
        cold = self.drawn_from(items).to(catalog.popularity.device)
        others = torch.ones_like(catalog.popularity, dtype=torch.bool)
        others[cold] = False
        popularity = torch.where(others, catalog.popularity, catalog.popularity[:items][others[:items]].mean())
        interactions = data.interactions
        if interactions is not None:
            interactions = replace(interactions, frame=interactions.frame.filter(~pl.col("item").is_in(cold.tolist())))
        return data._replace(catalog=replace(catalog, popularity=popularity), interactions=interactions, ratings=None)

    def alone_in(self, environment: Environment) -> Environment:
        """The environment for the separate evaluation, in which only cold items are shown.

        Raises
        ------
        ColdItemsError: actions are not items, or too few items are cold.
        """
        num_items = environment.spec.first_question
        others = torch.ones(num_items, dtype=torch.bool)
        others[self.drawn_from(num_items)] = False
        return EnvironmentWithoutItems(environment, others.nonzero().squeeze(1))


class EnvironmentWithoutItems(Environment):
    """An environment in which the items `withheld` `[X]` cannot be shown.

    They are appended to the items that the environment itself excludes; all users have the same list, so observations hold a view of
    one. Where there are candidates, other items, all different, replace the withheld ones instead, so that as many candidates remain:
    the environment's own draw determines which, and no random number is added.

    Raises
    ------
    ColdItemsError: the remaining items are too few for a slate, or for the candidates.
    """

    def __init__(self, environment: Environment, withheld: Tensor) -> None:
        inner = environment.spec
        _require_item_actions(inner)
        self.environment = environment
        mark(self, origin_of(environment))
        self.withheld = withheld.to(inner.device)
        self.spec = inner if inner.num_candidates else replace(inner, num_excluded=inner.num_excluded + len(withheld))
        allowed = torch.ones(inner.num_items, dtype=torch.bool, device=inner.device)
        allowed[self.withheld] = False
        self.allowed = allowed.nonzero().squeeze(1)
        _require_enough_items(len(self.allowed) - inner.num_questions, inner, "left")
        # an item's rank among the allowed items, or `no_rank`; PAD, -1, finds the last entry
        self.no_rank = 2 * inner.num_items
        self.ranks = torch.full((inner.num_items + 1,), self.no_rank, device=inner.device)
        self.ranks[self.allowed] = torch.arange(len(self.allowed), device=inner.device)

    @property
    def always_excluded(self) -> Tensor | None:
        """The last columns of every observation's `excluded`, `[X]`. None where there are candidates."""
        return None if self.spec.num_candidates else self.withheld

    def reset(self, seed: int) -> Observation:
        """Start N new sessions."""
        return self._without_items(self.environment.reset(seed))

    def start_evaluation(self, seed: int) -> tuple[Observation, Tensor]:
        """Start N new sessions of as many different people as there are."""
        observation, people = self.environment.start_evaluation(seed)
        return self._without_items(observation), people

    def step(self, slate: Tensor) -> Step:
        """Show the slate and observe."""
        step = self.environment.step(slate)
        step = step._replace(next_observation=self._without_items(step.next_observation), observation=self._without_items(step.observation))
        if not may_run_out(self.spec):
            return step
        # of the candidates in place of the withheld ones, more may be excluded
        none_left = step.truncated & runs_out(step.next_observation, self.spec)
        return step._replace(terminated=step.terminated | none_left, truncated=step.truncated & ~none_left)

    def state_dict(self) -> dict[str, Any]:
        """The state of the wrapped environment."""
        return self.environment.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Restore the wrapped environment."""
        return self._without_items(self.environment.load_state_dict(state))

    def truth(self) -> Truth | None:
        """The truth of the wrapped environment, for all items."""
        return self.environment.truth()

    def report(self) -> dict[str, float]:
        """The report of the wrapped environment."""
        return self.environment.report()

    def caveats(self) -> tuple[str, ...]:
        """Those of the wrapped environment."""
        return self.environment.caveats()

    def _without_items(self, observation: Observation) -> Observation:
        copy = observation.clone(recurse=False)
        if observation.candidates is not None:
            copy.candidates = self._replaced(observation.candidates)
        else:
            copy.excluded = _with_items(observation.excluded, self.withheld, torch.Size([len(observation.user)]))
        return copy

    def _replaced(self, candidates: Tensor) -> Tensor:
        """The candidates `[N, C]`, with allowed items that are not among them in place of the withheld ones.

        The allowed items that are not candidates are divided into as many ranges as there are items to replace, and each range gives one
        item: the number of the replaced item determines which.
        """
        ranks = self.ranks[candidates]
        missing = (ranks == self.no_rank) & (candidates != PAD)
        taken = ranks.sort(dim=1).values
        left = len(self.allowed) - (taken < self.no_rank).sum(dim=1, keepdim=True)
        number, count = missing.cumsum(dim=1) - 1, missing.sum(dim=1, keepdim=True).clamp(min=1)
        start, end = left * number.clamp(min=0) // count, left * (number.clamp(min=0) + 1) // count
        among = start + ((end - start) * (candidates.double() / self.spec.num_items)).long()
        # `among` counts only items that are not taken: an item's rank is larger by the number of taken items before it
        before = torch.where(taken < self.no_rank, taken - torch.arange(taken.shape[1], device=taken.device), self.no_rank)
        found = among + torch.searchsorted(before, among, right=True)
        return torch.where(missing, self.allowed[found.clamp(0, len(self.allowed) - 1)], candidates)


class SharedExclusions(BatchSource):
    """A batch source that does not store the items which every observation excludes: it removes them, and appends them to the batches.

    A replay memory would hold them once for each observation; a batch holds a view of one list.

    Parameters
    ----------
    items: `[X]` int64, the last columns of every observation's `excluded`.
    """

    def __init__(self, source: BatchSource, items: Tensor) -> None:
        self.source = source
        self.items = items

    def add(self, transition: Transition) -> None:
        """Pass the step on without the items."""
        self.source.add(_with_exclusions(transition, self._removed))

    def batches(self) -> Iterator[Transition]:
        """The wrapped source's batches, with the items."""
        for batch in self.source.batches():
            yield _with_exclusions(batch, self._appended)

    def learned(self, priorities: Tensor | None) -> None:
        """Pass the priorities on."""
        self.source.learned(priorities)

    def state_dict(self) -> dict[str, Any]:
        """The state of the wrapped source."""
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the wrapped source."""
        self.source.load_state_dict(state)

    def _removed(self, excluded: Tensor | None, _shape: torch.Size) -> Tensor | None:
        assert excluded is not None
        own = excluded.shape[-1] - len(self.items)
        return excluded[..., :own] if own else None

    def _appended(self, excluded: Tensor | None, shape: torch.Size) -> Tensor:
        return _with_items(excluded, self.items, shape)


def sharing_exclusions(source: BatchSource, always_excluded: Tensor | None) -> BatchSource:
    """The source for an environment whose `Environment.always_excluded` is given; None changes nothing."""
    return source if always_excluded is None else SharedExclusions(source, always_excluded)


def _require_item_actions(spec: EnvironmentSpec) -> None:
    """Raise ColdItemsError if actions are not items."""
    if spec.actions != "items":
        raise ColdItemsError("cold_items.share: items can be withheld only where actions are items, and here they are not; set it to 0")


def _require_enough_items(num_items: int, spec: EnvironmentSpec, role: str) -> None:
    """Raise ColdItemsError if `num_items` items, which are "withheld" or "left", are too few for a session in which only they are shown."""
    needed = spec.num_candidates - spec.num_questions if spec.num_candidates else spec.slate_size + spec.num_excluded
    if num_items < needed:
        what = "candidates" if spec.num_candidates else "a slate and the items that a session excludes"
        raise ColdItemsError(f"cold_items.share: {num_items} of {spec.first_question} items are {role}, but {what} need {needed}")


def _with_items(excluded: Tensor | None, items: Tensor, shape: torch.Size) -> Tensor:
    """`excluded` `[*shape, E]`, or None, with the same `items` `[X]` appended in every row: `[*shape, E + X]`, a view if there is no E."""
    shared = items.expand(*shape, -1)
    return shared if excluded is None else torch.cat([excluded, shared], dim=-1)


def _with_exclusions(transition: Transition, change: Callable[[Tensor | None, torch.Size], Tensor | None]) -> Transition:
    """The transition with the `excluded` of its two observations changed, given their batch size; nothing else is copied."""
    copy = transition.clone(recurse=False)
    for name in ("observation", "next_observation"):
        observation = getattr(transition, name).clone(recurse=False)
        observation.excluded = change(observation.excluded, observation.batch_size)
        setattr(copy, name, observation)
    return copy
