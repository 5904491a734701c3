"""rounds.jsonl: what became of each round, one JSON object a line, written as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recframe.errors import UserError
from recframe.tracking import atomic_write

NAME = "rounds.jsonl"
SWAPPED, ASIDE, FAILED = "swapped in", "kept aside", "failed"
"""What becomes of a round."""


class RoundsFile:
    """The rounds that are over. A round that was killed is not among them, and is done again under its number."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> list[dict[str, Any]]:
        """All records, in order.

        Raises
        ------
        UserError: the file is not one of rounds.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        try:
            records = [json.loads(line) for line in lines if line.strip()]
            if not all(isinstance(one["round"], int) for one in records):
                raise ValueError("no number of a round")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path}: is not a file of rounds ({error}); move it away to begin anew") from None
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record, unless its round has one."""
        records = self.read()
        if all(one["round"] != record["round"] for one in records):
            content = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in [*records, record])
            atomic_write(self.path, content)
