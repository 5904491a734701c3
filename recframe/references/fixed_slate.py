"""The same list of items for every user: the best recommendation without personalisation."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, best_items
from recframe.references.ranking import first_items, num_excluded, positions_in, ranked


class ItemList:
    """A list of L >= K items that is shown K a turn, and from the start again at its end.

    Items that are not on the list come after it, by `scores` `[M]`; they are shown if not enough of the list may be shown. The list of
    `common_slates` may repeat items, but not among any K in a row. If not everything may be shown, a repeated item counts only where it
    is on the list for the last time.
    """

    def __init__(self, items: Tensor, scores: Tensor) -> None:
        self.items = items
        listed = torch.zeros_like(scores, dtype=torch.bool)
        listed[items] = True
        ranking = ranked(scores)
        self.order = torch.cat([items, ranking[~listed[ranking]]])
        self.positions = positions_in(self.order, len(scores))
        self.num_items = len(scores)

    def __len__(self) -> int:
        return len(self.items)

    def position_after(self, items: Tensor) -> Tensor:
        """The position on the list that follows each of `items`; the start, 0, for `PAD` and for items that are not on the list."""
        positions = self.positions[items]
        return torch.where(positions < len(self), positions + 1, 0)

    def next_slates(self, observation: Observation, start: Tensor, k: int) -> Tensor:
        """The first k items that may be shown, from each user's own position `start` `[N, 1]` on a list without repetition, `[N, k]`.

        Memory grows with candidates and exclusions, not with the catalogue.
        """
        items = observation.candidates
        if items is None:
            # of the first K + E in a user's order, at least K are not among E excluded ones
            turns = torch.arange(min(k + num_excluded(observation), self.num_items), device=start.device)
            items = self.order[torch.where(turns < len(self), (turns + start) % len(self), turns)]
        return first_items(observation, items, self._turns_until(self.positions[items], start), k)

    def common_slates(self, observation: Observation, start: int, k: int) -> Tensor:
        """The first k items that may be shown, from the same position `start` on the list for all users, `[N, k]`."""
        if observation.candidates is None and observation.excluded is None:
            positions = (start + torch.arange(k, device=self.items.device)) % len(self)
            return self.items[positions].repeat(len(observation.user), 1)
        return best_items(observation, -self._turns_until(self.positions[:-1], start).float(), k)

    def _turns_until(self, positions: Tensor, start: Tensor | int) -> Tensor:
        return torch.where(positions < len(self), (positions - start) % len(self), positions)


class FixedSlatePolicy:
    """Shows every user the same items at the same turn: `items` `[L]`, K a turn, and from the start again at the end.

    If not everything may be shown, it shows the first K items of the list that may be, counted from the turn's position; items that are
    not on the list come last, by `scores` `[M]`.
    """

    def __init__(self, spec: EnvironmentSpec, items: Tensor, scores: Tensor) -> None:
        self.slate_size = spec.slate_size
        self.item_list = ItemList(items, scores)

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slate of this turn for every user, `[N, K]`."""
        return self.item_list.common_slates(observation, turn * self.slate_size % len(self.item_list), self.slate_size)


class FixedRankingPolicy:
    """Ranks the items alike for every user at the same turn, and shows each the first K that they may be shown.

    It is what `FixedSlatePolicy` is where candidates are drawn, so that nobody knows before which items can be shown.
    """

    def __init__(self, spec: EnvironmentSpec, scores: Tensor) -> None:
        """`scores` `[T, M]` are those of each turn, and from the start again at the end."""
        self.slate_size = spec.slate_size
        self.scores = scores

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slate of this turn for every user, `[N, K]`."""
        return best_items(observation, self.scores[turn % len(self.scores)], self.slate_size)
