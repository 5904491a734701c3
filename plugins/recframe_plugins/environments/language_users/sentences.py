"""What people may say: a fixed list of sentences.

Texts of visits are encoded once, before training, and networks look their vectors up by row. Free words would be new texts in every step,
which nobody has read; so the model chooses one of these sentences, and the list is in its question.
"""

from __future__ import annotations

import polars as pl

from recframe.interfaces import Data, DataError, Texts

GREETING = "Hello, what do you have for me?"
GENERAL = {"negative": "That was not for me.", "neutral": "That was all right.", "positive": "I liked that."}
ABOUT = {
    "negative": "That was not for me, I would rather have {topic}.",
    "neutral": "Have you got anything about {topic}?",
    "positive": "I liked that, more {topic} please.",
}
GREETED, NOT_KNOWN = 0, 2
"""Rows: what is said on arrival, and in place of an answer that cannot be used."""


def sentences(data: Data, attribute: str | None, num_topics: int) -> Texts:
    """The sentences that may be said, with their `sentiment` and `intent` (the topic, or null).

    Raises
    ------
    DataError: the catalogue has no such attribute.
    """
    topics = [] if attribute is None else frequent_values(data, attribute, num_topics)
    rows: list[tuple[str, str, str | None]] = [(GREETING, "neutral", None)]
    rows += [(text, sentiment, None) for sentiment, text in GENERAL.items()]
    rows += [(text.format(topic=topic), sentiment, topic) for topic in topics for sentiment, text in ABOUT.items()]
    attributes = pl.DataFrame(
        {"sentiment": [row[1] for row in rows], "intent": [row[2] for row in rows]}, schema={"sentiment": pl.String, "intent": pl.String}
    )
    return Texts([row[0] for row in rows], attributes=attributes)


def wishes(data: Data, attribute: str, num_topics: int) -> list[int]:
    """The rows of `sentences` that say what somebody would like, and nothing of what was shown: one for each topic."""
    attributes = sentences(data, attribute, num_topics).attributes
    assert attributes is not None
    rows = attributes.with_row_index("row").filter((pl.col("sentiment") == "neutral") & pl.col("intent").is_not_null())
    return [int(row) for row in rows["row"]]


def frequent_values(data: Data, attribute: str, count: int) -> list[str]:
    """The most frequent values of an attribute of items, of which each may have a list; equally frequent ones in alphabetical order."""
    attributes = data.catalog.attributes
    if attribute not in attributes.columns:
        raise DataError(
            f"environment.topic_attribute: the catalogue has no attribute {attribute!r}; it has {', '.join(attributes.columns)}"
        )
    column = attributes[attribute]
    values = (column.explode() if isinstance(column.dtype, pl.List) else column).cast(pl.String).drop_nulls().alias("value")
    counts = values.value_counts().sort(["count", "value"], descending=[True, False])
    return [str(value) for value in counts["value"].head(count).to_list()]
