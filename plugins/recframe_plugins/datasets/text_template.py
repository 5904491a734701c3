"""Fills a template with items' attributes, leaving out whatever an item lacks together with the words and brackets around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from string import Formatter

import polars as pl

from recframe.interfaces import DataError

__all__ = ["as_text", "check_template", "fill_template", "text_columns"]

PLACEHOLDER = re.compile(r"\{(\w+)\}")


def text_columns(table: pl.DataFrame) -> list[str]:
    """The columns that can stand in a text template: plain values and lists of strings, under names that are words."""
    return [
        name
        for name, dtype in table.schema.items()
        if name.isidentifier() and (dtype == pl.List(pl.String) or not (dtype.is_nested() or dtype in (pl.Binary, pl.Null)))
    ]


def as_text(table: pl.DataFrame) -> pl.DataFrame:
    """The `text_columns` as strings, lists joined by ", "; null where an item's is empty."""
    columns = [
        pl.col(name).list.join(", ") if isinstance(table.schema[name], pl.List) else pl.col(name).cast(pl.String)
        for name in text_columns(table)
    ]
    return table.select(columns).with_columns(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))


def check_template(template: str, allowed: Sequence[str]) -> None:
    """Refuse a template that cannot be filled.

    Raises
    ------
    DataError: if it has an unknown placeholder, none at all, or braces that are no placeholder; names the allowed ones.
    """
    placeholders = ", ".join(f"{{{name}}}" for name in allowed)
    where = f"dataset.text_template={template!r}"
    try:
        names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise DataError(f"{where}: {error}; braces are for placeholders, which are {placeholders}") from None
    for name in names:
        if name not in allowed:
            raise DataError(f"{where}: unknown placeholder {{{name}}}; expected {placeholders}")
    if not names:
        raise DataError(f"{where}: every item would get the same text; name some of {placeholders}")
    if re.search(r"[{}]", PLACEHOLDER.sub("", template)):
        raise DataError(f"{where}: braces are for placeholders only, written plainly: {placeholders}")


def fill_template(template: str, attributes: pl.DataFrame) -> list[str]:
    """The template's text for each row; `attributes` are strings, null where a row lacks one."""
    names = sorted(set(PLACEHOLDER.findall(template)))
    optional = [name for name in names if attributes[name].null_count()]
    text = pl.lit(None, pl.String)
    for lacking in product((False, True), repeat=len(optional)):
        missing = {name for name, lacks in zip(optional, lacking, strict=True) if lacks}
        matches = pl.all_horizontal(pl.lit(True), *(pl.col(name).is_null() == (name in missing) for name in optional))
        text = pl.when(matches).then(filled(without(template, missing))).otherwise(text)
    return attributes.select(text.alias("text"))["text"].to_list()


def filled(template: str) -> pl.Expr:
    """The template with its placeholders replaced by the columns of their names."""
    pieces = PLACEHOLDER.split(template)
    return pl.concat_str([pl.col(piece) if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces)])


def without(template: str, missing: set[str]) -> str:
    """The template for items that lack `missing`: no empty brackets, no clause about nothing, no dangling punctuation.

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
