"""A file of new items, as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from recframe.errors import UserError
from recframe.serving.new_items import ItemsError


class ItemLines(NamedTuple):
    """entries: as `LoadedPolicy.add_items` takes them.   places: the file and line of each."""

    entries: list[Any]
    places: list[str]


def read_item_lines(path: Path, option: str) -> ItemLines:
    """The items of a file; empty lines are left out.

    Raises
    ------
    UserError: the file cannot be read.   ItemsError: lines are not JSON.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{option}: {path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{option}: {path}: is not text in UTF-8 ({error.reason})") from None
    found = ItemLines([], [])
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.entries.append(json.loads(line))
            found.places.append(f"{path}:{number}")
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}:{number}: not JSON ({error})")
    if problems:
        raise ItemsError(problems)
    return found
