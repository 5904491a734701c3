"""How many texts there are, how long they are, and which are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from recframe.data_profile.quantities import Histogram, Quantiles

SHOWN_REPEATS = 3


@dataclass(frozen=True)
class TextCoverage:
    """The texts of items, users, contexts or interactions.

    with_text: those with a text that is neither empty nor their id.     distinct: different texts among these.
    words, characters: lengths of these; None if there are none.
    repeated: those of these whose text another one has, too.            repeats: the most frequent of such texts with their counts.
    """

    total: int
    with_text: int
    distinct: int
    words: Quantiles | None
    characters: Quantiles | None
    histogram: Histogram | None
    repeated: int
    repeats: tuple[tuple[str, int], ...]


def coverage_of(texts: Sequence[str], ids: Sequence[str] | None) -> TextCoverage:
    """Measure texts; `ids` of the same length are the names of what they are about, if it has names."""
    column = pl.Series("text", texts, dtype=pl.String).str.strip_chars()
    real = column != ""
    if ids is not None:
        real &= column != pl.Series("id", ids, dtype=pl.String).str.strip_chars()
    present = column.filter(real)
    if not len(present):
        return TextCoverage(len(column), 0, 0, None, None, None, 0, ())
    counts = present.value_counts().filter(pl.col("count") > 1).sort("count", "text", descending=[True, False])
    words = present.str.count_matches(r"\S+")
    return TextCoverage(
        total=len(column),
        with_text=len(present),
        distinct=present.n_unique(),
        words=Quantiles.of(words),
        characters=Quantiles.of(present.str.len_chars()),
        histogram=Histogram.of_counts(words),
        repeated=int(counts["count"].sum()),
        repeats=tuple((text, int(count)) for text, count in counts.head(SHOWN_REPEATS).iter_rows()),
    )
