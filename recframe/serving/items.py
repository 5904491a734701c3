"""What a policy recommends to one person: ranked items with their titles."""

from __future__ import annotations

from typing import NamedTuple

from recframe.evaluation.html_tables import table_html


class RankedItem(NamedTuple):
    """One recommended item: its id and its title in the run's data, and its score, or None: the policy has none to tell."""

    id: str
    title: str
    score: float | None = None


class RankedItems(list[RankedItem]):
    """Recommended items, best first. A notebook shows them as a table."""

    @property
    def ids(self) -> list[str]:
        """The items' ids, best first."""
        return [item.id for item in self]

    def __str__(self) -> str:
        return "\n".join("  ".join(row) for row in self._rows())

    def _repr_html_(self) -> str:
        return table_html(("", "id", "title", "score")[: 4 if self._scored else 3], self._rows())

    @property
    def _scored(self) -> bool:
        return any(item.score is not None for item in self)

    def _rows(self) -> list[list[str]]:
        rows = [[str(place), item.id, item.title] for place, item in enumerate(self, 1)]
        scores = [[] if item.score is None else [f"{item.score:.4g}"] for item in self]
        return [[*row, *score] for row, score in zip(rows, scores, strict=True)]
