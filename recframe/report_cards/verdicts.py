"""What a report card says in words: that scores are at chance, or know no more than the mean rating of an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def chance_verdicts(card: Mapping[str, float], names: Mapping[str, str], prefix: str) -> Iterator[str]:
    """A sentence for each score whose AUC may be 1/2, and for each that is not shown to be above that of the mean rating of an item.

    Parameters
    ----------
    card: as `agreement` gives it under `prefix`.   names: of scores, and what they are called, in the plural.
    """
    people, ratings = card.get(f"{prefix}num_people", 0.0), card.get(f"{prefix}num_ratings", 0.0)
    for name, called in names.items():
        auc, low, high = (card.get(f"{prefix}auc_{name}{end}", float("nan")) for end in ("", "_low", "_high"))
        figures = f"AUC {auc:.2f} [{low:.2f}, {high:.2f}] on {ratings:.0f} held-out ratings of {people:.0f} people"
        mean = card.get(f"{prefix}auc_item_mean")
        beside = "" if mean is None else f"; the mean rating of an item has {mean:.2f}"
        # written so that a limit that is not a number counts as chance: nothing is shown then
        if not low > 0.5:
            verdict = "are worse than chance" if high < 0.5 else "are not told from chance"
            yield f"{called} {verdict} ({figures}{beside}): what is trained on them says nothing about these people"
        elif mean is not None and not card.get(f"{prefix}auc_{name}_gain_low", float("nan")) > 0.0:
            yield f"{called} know no more of these people than the mean rating of an item, as far as can be told ({figures}{beside})"
