"""Tables that come with types of their own: Parquet, and JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check
from recframe_plugins.datasets.files.text_lines import numbered_lines

__all__ = ["FrameTable", "ParquetTable", "json_lines_table", "parquet_table"]

# Rows of a parquet file are read in blocks of this size.
BLOCK_ROWS = 1 << 21
SAMPLE_ROWS = 10_000


@dataclass(frozen=True)
class FrameTable:
    """A table in memory with numbered rows: the column `line`, and those of the file.

    unreadable: lines that could not be read: `line`, `reason`, `problem`.
    """

    path: Path
    frame: pl.DataFrame
    unreadable: pl.DataFrame = field(default_factory=lambda: EMPTY_REPORT)

    unit = "line"

    @property
    def columns(self) -> list[str]:
        """The columns of the file."""
        return [name for name in self.frame.columns if name != "line"]

    def sample(self) -> pl.DataFrame:
        """The first rows, with all columns."""
        return self.frame.head(SAMPLE_ROWS)

    def rows(self, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of `line` (from 1) and the `wanted` columns."""
        yield self.frame.select("line", *wanted)

    def checks(self, wanted: Sequence[str], *, hide: bool = False) -> list[Check]:
        """No checks: every row has every column."""
        return []


@dataclass(frozen=True)
class ParquetTable:
    """A parquet file, of which only the wanted columns are read, block by block."""

    path: Path
    source: Path | bytes
    columns: list[str]
    unreadable: pl.DataFrame = field(default_factory=lambda: EMPTY_REPORT)

    unit = "row"

    def _scan(self) -> pl.LazyFrame:
        source = io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source
        return pl.scan_parquet(source, glob=False, hive_partitioning=False).rename({"line": "line_"}, strict=False)

    def sample(self) -> pl.DataFrame:
        """The first rows, with all columns."""
        try:
            return self._scan().head(SAMPLE_ROWS).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable_parquet(self.path, error) from None

    def rows(self, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of `line` (the number of the row, from 1) and the `wanted` columns."""
        try:
            scan = self._scan()
            height = scan.select(pl.len()).collect().item()
            for start in range(0, max(height, 1), BLOCK_ROWS):
                block = scan.select(wanted).slice(start, BLOCK_ROWS).collect()
                numbers = pl.int_range(start + 1, start + 1 + len(block), dtype=pl.Int64, eager=True).alias("line")
                yield block.insert_column(0, numbers)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable_parquet(self.path, error) from None

    def checks(self, wanted: Sequence[str], *, hide: bool = False) -> list[Check]:
        """No checks: every row has every column."""
        return []


def parquet_table(path: Path, content: bytes | None) -> ParquetTable:
    """The table in a parquet file. content: that of the file if it was unpacked.

    Raises
    ------
    DataError: it is not a parquet file.
    """
    try:
        columns = list(pl.read_parquet_schema(path if content is None else io.BytesIO(content)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise unreadable_parquet(path, error) from None
    return ParquetTable(path, path if content is None else content, ["line_" if name == "line" else name for name in columns])


def unreadable_parquet(path: Path, error: Exception) -> DataError:
    """The error for a file that cannot be read as parquet."""
    return DataError(f"{path}: cannot be read as parquet ({str(error).partition(chr(10))[0]}), expected a parquet file")


def json_lines_table(path: Path, content: bytes, malformed: str) -> FrameTable:
    """The table in a file with a JSON object on each line; blank lines do not count.

    malformed: "error" refuses lines that are no objects, "skip" leaves them out and reports them in `unreadable`.

    Raises
    ------
    DataError: the file has no object, lines have one value in types that do not go together, or lines are no objects (`"error"`).
    """
    lines = numbered_lines(path, content, "utf-8")
    numbers = pl.concat([pl.Series("line", [], dtype=pl.Int64), *(block["line"] for block in lines.blocks())])
    if numbers.is_empty():
        raise DataError(f"{path}: is empty, expected a JSON object on each line")
    if lines.content.lstrip()[:1] == b"[":
        raise DataError(f"{path}: begins with '[': is a JSON array, expected JSON lines (an object on each line, no commas between them)")
    unreadable = EMPTY_REPORT
    try:
        frame = pl.read_ndjson(io.BytesIO(lines.content), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        unreadable = broken_lines(lines.content)
        if unreadable.is_empty():
            raise DataError(f"{path}{first_other_type(lines.content, str(error))}") from None
        kept = [text for block in lines.blocks() for text in block.filter(~pl.col("line").is_in(unreadable["line"].implode()))["text"]]
        numbers = numbers.filter(~numbers.is_in(unreadable["line"].implode()))
        try:
            frame = pl.read_ndjson(io.BytesIO("\n".join(kept).encode()), infer_schema_length=None) if kept else pl.DataFrame()
        except pl.exceptions.PolarsError as other:
            raise DataError(f"{path}{first_other_type(lines.content, str(other))}") from None
    if frame.is_empty() and malformed == "skip":
        raise DataError(f"{path}: no line is a JSON object, expected one on each line")
    frame = frame.rename({"line": "line_"}, strict=False)
    return FrameTable(path, frame.with_columns(numbers.alias("line")) if len(frame) else pl.DataFrame({"line": numbers}), unreadable)


def broken_lines(content: bytes) -> pl.DataFrame:
    """The lines that are no JSON objects, as `line`, `reason`, `problem`; read one by one, as the whole could not be read."""
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            found.append((number, "broken JSON", f'is not JSON ({error}), expected an object such as {{"user_id": 1, "item_id": 2}}'))
            continue
        if not isinstance(value, dict):
            found.append((number, "no JSON object", 'is JSON, but no object; expected one such as {"user_id": 1, "item_id": 2}'))
    return pl.DataFrame(found, EMPTY_REPORT.schema, orient="row")


def first_other_type(content: bytes, error: str) -> str:
    """The rest of a message: the first line where a value has another type than before, which a column cannot hold."""
    kinds: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError:
            continue
        for name, value in values.items() if isinstance(values, dict) else ():
            kind = "a number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
            first, where = kinds.setdefault(name, (kind, number)) if value is not None else (kind, number)
            if first != kind:
                return f":{number}: {name!r} is {kind} here and {first} on line {where}; expected one type throughout"
    return f": cannot be read as JSON lines ({error.partition(chr(10))[0]}), expected an object on each line"
