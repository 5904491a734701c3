"""The most popular items, by the catalogue's popularity."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation
from recframe.references.ranking import first_items, num_excluded, positions_in, ranked


class PopularPolicy:
    """Shows the most popular items that are not in the observed history.

    Skipping recent items keeps it a fair opponent, since the same slate shown again and again would bore every user. When all items
    that may be shown are in the history, it starts again with the most popular.

    repeats: show items of the history like others.
    """

    def __init__(self, spec: EnvironmentSpec, popularity: Tensor, repeats: bool = False) -> None:
        self.slate_size = spec.slate_size
        self.repeats = repeats
        self.ranking = ranked(popularity).to(spec.device)
        self.positions = positions_in(self.ranking, len(popularity))

    def __call__(self, observation: Observation, turn: int = 0) -> Tensor:
        """The popular slates `[N, K]`."""
        return self.most_popular(observation, self.slate_size)

    def most_popular(self, observation: Observation, k: int) -> Tensor:
        """The first k <= M items, `[N, min(k, C)]`. Memory grows with k, history and exclusions, not with the catalogue."""
        history, items = observation.history_items, observation.candidates
        if items is None:
            # of the k + H + E most popular items, at least k are neither in a history of H nor among E excluded ones
            items = self.ranking[: k + history.shape[1] + num_excluded(observation)].expand(len(history), -1)
        positions = self.positions[items]
        if not self.repeats:
            seen = (items[:, :, None] == history[:, None, :]).any(dim=2)
            positions = positions + seen * len(self.ranking)
        return first_items(observation, items, positions, k)
