"""What would have been shown without one part of what was known."""

from __future__ import annotations

from collections.abc import Mapping

from recframe.explanations.comparison import LeftOutParts
from recframe.explanations.explanation import Counterfactual, PartEffect
from recframe.interfaces import PAD, Catalog

ORDER = {"history": 0, "context": 1, "profile": 2, "user": 3}
"""From small parts to large ones."""


def counterfactual_of(
    comparison: LeftOutParts, effects: Mapping[int, PartEffect], item: int, place: int, catalog: Catalog
) -> Counterfactual | None:
    """The smallest single part without which the item is not among the first places; None: there is none, or it was not among them.

    For the first item of the ranking this is the first place, for others the k places of the slate. An item of the history is smaller than
    a text; of several parts alike, it is the one with the largest effect.

    effects: by the number of the leave-out.   place: of the item, from 1; 0: it has none.
    """
    places = 1 if place == 1 else comparison.query.k
    if not 0 < place <= places:
        return None
    first = comparison.standings.first[:, :places].tolist()
    gone = [number for number, effect in effects.items() if effect.part in ORDER and item not in first[number]]
    for number in sorted(gone, key=lambda number: (ORDER[effects[number].part], -effects[number].effect)):
        if shown := [other for other in first[number] if other != PAD and other not in first[0]]:
            return Counterfactual(effects[number], places, catalog.ids[shown[0]], str(catalog.attributes["title"][shown[0]]))
    return None
