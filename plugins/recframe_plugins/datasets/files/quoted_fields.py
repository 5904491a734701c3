"""Fields in quotes (RFC 4180): they may hold the separator, quotes and line ends. Works on frames of numbered lines."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Iterator

import polars as pl

__all__ = ["join_quoted_lines", "split_quoted"]

# A quoted field with more lines than this is taken for a quote that is not closed.
MOST_LINES = 100
EMPTY_LINES = pl.DataFrame(schema={"line": pl.Int64, "text": pl.String})

# Characters that have a meaning of their own in a pattern.
SPECIAL = frozenset("|^$.*+?()[]{}\\-&~")

# Marks the end of a record; no text has this character.
END = "\x1f"

# What can be between quotes: by RFC 4180 a quote is doubled; other programs put a backslash before it.
DOUBLED = r'(?:[^"]|"")*'
BACKSLASHED = r'(?:[^"\\]|""|\\[\s\S])*'


def record_pattern(inside: str, separator: str, size: int) -> str:
    """The pattern of a record of `size` fields, one group for each."""
    between = in_pattern(separator)
    field = rf'("{inside}"|[^"{between}][^{between}\n]*|)'
    return "^" + between.join([field] * size) + "$"


def in_pattern(separator: str) -> str:
    """A separator as it is written in a pattern."""
    return f"\\{separator}" if separator in SPECIAL else separator


def join_quoted_lines(blocks: Iterable[pl.DataFrame], separator: str, size: int, broken: Collection[int] = ()) -> Iterator[pl.DataFrame]:
    """Frames of lines (`line`, `text`) in which the lines of a record whose quoted fields have line ends are one text.

    Lines are joined only if they then are a record of `size` fields, so a quote that is not closed spoils its own line only. `line` is
    that of the record's first line. The lines numbered `broken` are not joined to others.
    """
    complete = re.compile("|".join(record_pattern(inside, separator, size) for inside in (DOUBLED, BACKSLASHED)))
    unusable = set(broken)
    held = EMPTY_LINES
    for block in blocks:
        joined, held = joined_lines(pl.concat([held, block]), complete, unusable, more=True)
        yield joined
    yield joined_lines(held, complete, unusable, more=False)[0]


def joined_lines(rows: pl.DataFrame, complete: re.Pattern[str], unusable: set[int], *, more: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rows` with joined records; and the last rows, held back if `more` follow and may end the record that begins there."""
    text = rows["text"]
    # a quote after a backslash is none of the two that enclose a field
    odd = ((text.str.count_matches('"', literal=True) - text.str.count_matches('\\"', literal=True)) % 2 == 1).arg_true().to_list()
    ends: dict[int, int] = {}
    place = 0
    while place + 1 < len(odd):
        begin, end = odd[place], odd[place + 1]
        numbers = rows["line"][begin : end + 1]
        if end - begin < MOST_LINES and unusable.isdisjoint(numbers) and complete.match("\n".join(text[begin : end + 1])):
            ends[begin] = end
            place += 1
        place += 1
    tail = odd[place] if more and place < len(odd) and len(rows) - odd[place] < MOST_LINES else len(rows)
    rows, held = rows[:tail], rows[tail:]
    if not ends:
        return rows, held
    record = list(range(len(rows)))
    for begin, end in ends.items():
        record[begin : end + 1] = [begin] * (end + 1 - begin)
    grouped = rows.with_columns(record=pl.Series(record, dtype=pl.Int64)).group_by("record", maintain_order=True)
    return grouped.agg(pl.col("line").first(), pl.col("text").str.join("\n")).drop("record"), held


def split_quoted(text: pl.Series, separator: str, size: int) -> list[pl.Series]:
    """The `size` fields of each record in `text`, unquoted, with blanks for line ends; all null for another number of fields.

    A record that is none by RFC 4180 is read with a backslash before quotes.
    """
    if (parsed := parsed_fields(text, separator, size)) is not None:
        return parsed
    by_rule = fields_of(text, DOUBLED, separator, size, '"(")')
    failed = by_rule[0].is_null()
    if not (failed & text.str.contains('\\"', literal=True)).any():
        return by_rule
    by_backslash = fields_of(text, BACKSLASHED, separator, size, r'["\\](["\\])')
    return [other.zip_with(failed, usual) for usual, other in zip(by_rule, by_backslash, strict=True)]


def parsed_fields(text: pl.Series, separator: str, size: int) -> list[pl.Series] | None:
    """The fields by polars' parser, much faster than by a pattern; None unless each record is one of `size` fields by RFC 4180."""
    # one additional field shows whether a record has too few or too many, which the parser would not say
    records = pl.select(pl.format("{}{}{}", text, pl.lit(separator), pl.lit(END))).to_series()
    names = [f"field_{place}" for place in range(size + 1)]
    # a quote within an unquoted field, or after a backslash, is read differently by different programs
    if text.str.contains(rf'\\"|[^"{in_pattern(separator)}\n]"[^"{in_pattern(separator)}\n]').any():
        return None
    try:
        table = pl.read_csv(
            io.BytesIO("\n".join(records).encode()),
            has_header=False,
            separator=separator,
            new_columns=names,
            schema_overrides=dict.fromkeys(names, pl.String),
            infer_schema=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if table.shape != (len(text), size + 1) or not (table[names[-1]] == END).all():
        return None
    # an empty field is null
    lines = pl.all().fill_null("").str.replace_all(r"\s*\n\s*", " ")
    return table.select(names[:-1]).select(lines).get_columns()


def fields_of(text: pl.Series, inside: str, separator: str, size: int, escaped: str) -> list[pl.Series]:
    """The fields by one rule. inside: what can be between quotes.   escaped: pairs of characters there of which the group is meant."""
    found = text.str.extract_groups(record_pattern(inside, separator, size)).struct.unnest()
    return found.select(unquoted(pl.col(name), escaped) for name in found.columns).get_columns()


def unquoted(field: pl.Expr, escaped: str) -> pl.Expr:
    """A field without its quotes, if it has any."""
    inside = field.str.slice(1, field.str.len_chars() - 2).str.replace_all(escaped, "${1}")
    return pl.when(field.str.starts_with('"')).then(inside).otherwise(field).str.replace_all(r"\s*\n\s*", " ")
