"""The most popular items, by the catalogue's popularity."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation
from recframe.references.ranking import first_items, num_excluded, positions_in, ranked


class PopularPolicy:
    """Shows the most popular items that are not in the observed history.

    Skipping recent items keeps it a fair opponent, since the same slate shown again and again would bore every user. When all items
    that may be shown are in the history, it starts again with the most popular.
    """

    def __init__(self, spec: EnvironmentSpec, popularity: Tensor) -> None:
        self.slate_size = spec.slate_size
        self.ranking = ranked(popularity).to(spec.device)
        self.positions = positions_in(self.ranking, len(popularity))

    def __call__(self, observation: Observation, turn: int = 0) -> Tensor:
        """The popular slates `[N, K]`. Memory grows with history, slate and exclusions, not with the catalogue."""
        history, items = observation.history_items, observation.candidates
        if items is None:
            # of the K + H + E most popular items, at least K are neither in a history of H nor among E excluded ones
            items = self.ranking[: self.slate_size + history.shape[1] + num_excluded(observation)].expand(len(history), -1)
        seen = (items[:, :, None] == history[:, None, :]).any(dim=2)
        return first_items(observation, items, self.positions[items] + seen * len(self.ranking), self.slate_size)
