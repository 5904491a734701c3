"""Fills a text template with item attributes. A missing attribute is left out, together with the words and brackets around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from string import Formatter

import polars as pl

from recframe.interfaces import DataError

__all__ = ["as_text", "check_template", "fill_template", "item_texts", "text_columns"]

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def text_columns(table: pl.DataFrame) -> list[str]:
    """The columns that a text template can use: plain values and lists of strings whose names are identifiers."""
    return [
        name
        for name, dtype in table.schema.items()
        if name.isidentifier() and (dtype == pl.List(pl.String) or not (dtype.is_nested() or dtype in (pl.Binary, pl.Null)))
    ]


def as_text(table: pl.DataFrame) -> pl.DataFrame:
    """The `text_columns` as strings, lists joined by ", "; null if the value is empty."""
    columns = [
        pl.col(name).list.join(", ") if isinstance(table.schema[name], pl.List) else pl.col(name).cast(pl.String)
        for name in text_columns(table)
    ]
    return table.select(columns).with_columns(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))


def check_template(template: str, allowed: Sequence[str], *, setting: str = "dataset.text_template") -> None:
    """Refuse a template that cannot be filled. setting: the key of the template, for the message.

    Raises
    ------
    DataError: it has an unknown placeholder, no placeholder, or other braces; the message names the allowed placeholders.
    """
    placeholders = ", ".join(f"{{{name}}}" for name in allowed)
    where = f"{setting}={template!r}"
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise DataError(f"{where}: {error}; braces are only for placeholders, which are {placeholders}") from None
    for name in names:
        if name not in allowed:
            raise DataError(f"{where}: unknown placeholder {{{name}}}; expected {placeholders}")
    if not names:
        raise DataError(f"{where}: every item would get the same text; use some of {placeholders}")
    if re.search(r"[{}]", PLACEHOLDER.sub("", template)):
        raise DataError(f"{where}: braces are only for placeholders, without format options: {placeholders}")


def fill_template(template: str, attributes: pl.DataFrame) -> list[str]:
    """The text of each row; `attributes` are strings, null if a row lacks one."""
    names = sorted(set(PLACEHOLDER.findall(template)))
    optional = [name for name in names if attributes[name].null_count()]
    text = pl.lit(None, pl.String)
    for lacking in product((False, True), repeat=len(optional)):
        missing = {name for name, lacks in zip(optional, lacking, strict=True) if lacks}
        matches = pl.all_horizontal(pl.lit(True), *(pl.col(name).is_null() == (name in missing) for name in optional))
        text = pl.when(matches).then(filled(without(template, missing))).otherwise(text)
    return attributes.select(text.alias("text"))["text"].to_list()


def item_texts(template: str, items: pl.DataFrame) -> list[str]:
    """The text of each item for the encoder; its `title` if it lacks all attributes of the template."""
    texts = fill_template(template, as_text(items))
    return [text or title for text, title in zip(texts, items["title"], strict=True)]


def filled(template: str) -> pl.Expr:
    """The template with its placeholders replaced by the columns of the same name."""
    pieces = PLACEHOLDER.split(template)
    return pl.concat_str([pl.col(piece) if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces)])


def without(template: str, missing: set[str]) -> str:
    """The template for items that lack `missing`, without empty brackets, clauses of missing attributes only, or dangling punctuation.

    >>> without("{title} ({year}). Genres: {genres}.", {"year", "genres"})
    '{title}.'
    """
    if not missing:
        return template
    gap = r"\{(?:" + "|".join(sorted(map(re.escape, missing))) + r")\}"
    text = re.sub(rf"\s*(?:\(\s*{gap}\s*\)|\[\s*{gap}\s*\])", "", template)
    clauses = re.split(r"(?<=[.!?;,])(?=\s)|(?=\n)", text)
    text = "".join(clause for clause in clauses if not re.search(gap, clause) or set(PLACEHOLDER.findall(clause)) - missing)
    text = re.sub(gap, "", text)
    text = re.sub(r"[ \t]+(?=[ \t.,;:!?]|$)", "", text)
    text = re.sub(r"[,;:](?=\s*[.,;:!?])", "", text)
    return re.sub(r"^[\s.,;:!?\u2013-]+|[\s,;:\u2013-]+$", "", text)
