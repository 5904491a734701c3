"""What a policy recommends to one person: ranked items with their titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class RankedItem(NamedTuple):
    """One recommended item.

    id, title: as the run's data has them.   score: by which the policy ranks, or None: it has none to tell.
    propensity: the probability with which it was put at this place, given those above it; 1 without exploration, None: unknown.
    """

    id: str
    title: str
    score: float | None = None
    propensity: float | None = None


class RankedItems(list[RankedItem]):
    """Recommended items, best first. A notebook shows them as a table.

    explored: whether exploration has changed them: without it, other items would be here, or in another order.
    version: of the policy that recommends them; see `LoadedPolicy`.
    """

    def __init__(self, items: Iterable[RankedItem] = (), explored: bool = False, version: str = "") -> None:
        super().__init__(items)
        self.explored = explored
        self.version = version

    @property
    def ids(self) -> list[str]:
        """The items' ids, best first."""
        return [item.id for item in self]

    def __str__(self) -> str:
        return "\n".join("  ".join(row) for row in self._rows())

    def _repr_html_(self) -> str:
        from recframe.evaluation.html_tables import table_html

        columns = [*["score"] * any(item.score is not None for item in self), *["propensity"] * self._uncertain]
        return table_html(("", "id", "title", *columns), self._rows())

    @property
    def _uncertain(self) -> bool:
        return any(item.propensity not in (None, 1.0) for item in self)

    def _rows(self) -> list[list[str]]:
        rows = []
        for place, item in enumerate(self, 1):
            numbers = [item.score, item.propensity if self._uncertain else None]
            rows.append([str(place), item.id, item.title, *(f"{number:.4g}" for number in numbers if number is not None)])
        return rows
