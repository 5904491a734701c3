"""What the conversions share: JSON lines read one by one, and CSV files that are complete or not there."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recframe.console import plain
from recframe.public_data.errors import FetchError

LONGEST_LINE = 16 << 20
"""Characters of a line that are read at most; the longest of the public files are below a million."""

Parse = Callable[[str], Any]


def records(path: Path, parse: Parse = json.loads) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The records of a file with one on each line, which may be compressed by gzip, with their line numbers (from 1).

    Parameters
    ----------
    parse: reads a line; it raises ValueError or SyntaxError where it cannot.

    Raises
    ------
    FetchError: naming the line that cannot be read.
    """
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if not line.strip():
                    continue
                record = parse(line)
                if not isinstance(record, dict):
                    raise ValueError("not a record")
                yield number, record
    except (ValueError, SyntaxError, RecursionError, MemoryError, EOFError, gzip.BadGzipFile) as error:
        reason = plain(str(error), most=100)
        raise FetchError(f"{path}:{number or 1}: cannot be read ({reason}); the file is damaged or of another layout") from error


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file under another name, rename it, and return the number of its rows. None is written as an empty field."""
    other = path.with_name(f".{path.name}.new")
    count = 0
    try:
        with other.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow(row)
                count += 1
        other.replace(path)
    finally:
        other.unlink(missing_ok=True)
    return count


def field(record: Mapping[str, Any], name: str, where: str) -> Any:
    """A field that a record has to have.

    Raises
    ------
    FetchError: if it is not there.
    """
    if name not in record:
        raise FetchError(f"{where}: has no field {name!r}; the file is of another layout")
    return record[name]


def line_of_text(value: object) -> str:
    """A text, or several, on one line: line ends and repeated blanks are single blanks."""
    words = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)
    return " ".join(words.split())


def seconds(text: str, form: str, where: str) -> int:
    """Unix seconds of a time in the form of `strptime`; without a time zone it is UTC.

    Raises
    ------
    FetchError: if the text has another form.
    """
    try:
        moment = datetime.strptime(text, form)
    except (ValueError, TypeError):
        raise FetchError(f"{where}: {plain(str(text), most=60)!r} is not a time as {form}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
