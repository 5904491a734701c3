"""Keeping some items from being shown, in any environment: those held back in training, or all others when only those are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import PAD, Environment, EnvironmentSpec, Observation, Step, Truth


class ColdItemsError(UserError, ValueError):
    """Items that cannot be held back; the message says why and what would be right."""


MOST_ITEMS = 50_000
"""The largest catalogue in which items are held back: in each step every user's list of them is gone through, N times E numbers."""


def cold_items(num_items: int, share: float, seed: int) -> Tensor:
    """The items never shown in training, `[X]` int64, ascending: `share` of the catalogue, drawn by `seed` alone.

    Raises
    ------
    ColdItemsError: that is none, or all, or the catalogue is too large.
    """
    count = round(share * num_items)
    if not 0 < count < num_items:
        what = "none" if count == 0 else "all"
        raise ColdItemsError(f"cold_items.share: {share} of {num_items:,} items is {what} of them; choose another")
    if num_items > MOST_ITEMS:
        raise ColdItemsError(f"cold_items.share: a catalogue of {num_items:,} items is too large; use one of {MOST_ITEMS:,} or less, or 0")
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_items, generator=generator)[:count].sort().values


class Restricted(Environment):
    """An environment in which the items `forbidden` `[X]` may not be shown.

    They are appended to what the environment excludes itself; as every user's list is the same, observations hold a view of one.
    Where there are candidates, others take their place instead, all different, so that as many can be shown as before: which ones follows
    from the environment's own draw, and no luck is added.

    Raises
    ------
    ColdItemsError: what is left is too little for a slate, or for the candidates.
    """

    def __init__(self, environment: Environment, forbidden: Tensor) -> None:
        inner = environment.spec
        require_items(inner)
        self.environment = environment
        self.forbidden = forbidden.to(inner.device)
        self.spec = inner if inner.num_candidates else replace(inner, num_excluded=inner.num_excluded + len(forbidden))
        allowed = torch.ones(inner.num_items, dtype=torch.bool, device=inner.device)
        allowed[self.forbidden] = False
        self.allowed = allowed.nonzero().squeeze(1)
        require_enough(len(self.allowed), inner, "left")
        # an item's place among those allowed, or nowhere; PAD, -1, finds the last entry
        self.nowhere = 2 * inner.num_items
        self.places = torch.full((inner.num_items + 1,), self.nowhere, device=inner.device)
        self.places[self.allowed] = torch.arange(len(self.allowed), device=inner.device)

    @property
    def always_excluded(self) -> Tensor | None:
        """The last columns of every observation's `excluded`, `[X]`: a replay memory need not keep them. None: there are none."""
        return None if self.spec.num_candidates else self.forbidden

    def reset(self, seed: int) -> Observation:
        """Start N fresh sessions."""
        return self._restricted(self.environment.reset(seed))

    def step(self, slate: Tensor) -> Step:
        """Show the slate and observe."""
        step = self.environment.step(slate)
        return step._replace(next_observation=self._restricted(step.next_observation), observation=self._restricted(step.observation))

    def state_dict(self) -> dict[str, Any]:
        """The environment's."""
        return self.environment.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Take up a saved state of the environment."""
        return self._restricted(self.environment.load_state_dict(state))

    def truth(self) -> Truth | None:
        """The environment's, of all items."""
        return self.environment.truth()

    def report(self) -> dict[str, float]:
        """The environment's."""
        return self.environment.report()

    def _restricted(self, observation: Observation) -> Observation:
        restricted: Observation = observation.clone(recurse=False)
        if observation.candidates is not None:
            restricted.candidates = self._replaced(observation.candidates)
        else:
            restricted.excluded = with_excluded(observation.excluded, self.forbidden, len(observation.user))
        return restricted

    def _replaced(self, candidates: Tensor) -> Tensor:
        """The candidates `[N, C]` with allowed items that are not among them for those that are forbidden.

        The allowed items beside them lie in as many stretches as are needed, and one is taken from each: where in it, the number of the
        replaced item says.
        """
        places = self.places[candidates]
        missing = (places == self.nowhere) & (candidates != PAD)
        taken = places.sort(dim=1).values
        left = len(self.allowed) - (taken < self.nowhere).sum(dim=1, keepdim=True)
        number, count = missing.cumsum(dim=1) - 1, missing.sum(dim=1, keepdim=True).clamp(min=1)
        start, end = left * number.clamp(min=0) // count, left * (number.clamp(min=0) + 1) // count
        among = start + ((end - start) * (candidates.double() / self.spec.num_items)).long()
        # counted without those taken: an item is as much further on as there are taken ones before it
        before = torch.where(taken < self.nowhere, taken - torch.arange(taken.shape[1], device=taken.device), self.nowhere)
        found = among + torch.searchsorted(before, among, right=True)
        return torch.where(missing, self.allowed[found.clamp(0, len(self.allowed) - 1)], candidates)


def require_items(spec: EnvironmentSpec) -> None:
    """Raise ColdItemsError if what is done in the environment is not to show items."""
    if spec.actions != "items":
        raise ColdItemsError("cold_items.share: items can be held back where actions are items, and these are not; set it to 0")


def require_enough(count: int, spec: EnvironmentSpec, which: str) -> None:
    """Raise ColdItemsError if `count` items, those that are `which`, are too few for a session in which nothing else may be shown."""
    needed = spec.num_candidates or spec.slate_size + spec.num_excluded
    if count < needed:
        what = "candidates" if spec.num_candidates else "a slate and what a session excludes"
        raise ColdItemsError(f"cold_items.share: of {spec.num_items} items {count} are {which}, but {what} take {needed}")


def with_excluded(own: Tensor | None, items: Tensor, users: int) -> Tensor:
    """What is excluded `[N, E]`, or None, and the same `items` `[X]` for all of N users: `[N, E + X]`, a view if there is nothing else."""
    everybody = items.expand(users, -1)
    return everybody if own is None else torch.cat([own, everybody], dim=1)
