"""The file of answers to many questions, which is continued only by the policy and the settings that began it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from recframe.errors import UserError
from recframe.tracking import atomic_write

ORIGIN = ".origin.json"
"""Ends the name of the file beside the answers that says what they are of."""

FIRST = "first question"


class Answers:
    """Where answers are written, a line each: a file, or the standard output. `begin` comes before the first of them.

    `finished` is the number of complete lines that the file has, and `refused` counts the answers that are errors.

    Raises
    ------
    UserError: the file cannot be written, or holds something else.
    """

    def __init__(self, path: Path | None, standard_output: TextIO) -> None:
        self.finished = self.refused = 0
        self._path = path
        self._stream = standard_output
        self._end = 0
        # a device or a pipe is written to, and has nothing to be continued
        self._is_kept = path is not None and (path.is_file() or not path.exists())
        if path is None:
            return
        try:
            if self._is_kept and path.exists():
                self._count_complete_lines(path)
            self._stream = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--answers: {path}: cannot be written ({error.strerror})") from None
        except (ValueError, TypeError):
            raise UserError(f"--answers: {path}: holds something else than answers; choose another file") from None

    def begin(self, origin: Mapping[str, Any]) -> None:
        """Go on with the file, if it is of the same origin. Half a line at its end, which a killed process may have left, is removed.

        origin: by name, everything that answers depend on; values are as JSON has them.

        Raises
        ------
        UserError: the file is of another origin, or of an unknown one; it stays as it is.
        """
        if self._path is None or not self._is_kept:
            return
        beside = self._path.with_name(self._path.name + ORIGIN)
        if self._path.stat().st_size:
            before = _read(beside)
            if before is None:
                raise UserError(f"--answers: {self._path}: nothing says what it is of ({beside.name} is missing); {_REMEDY}")
            if before != origin:
                raise UserError(f"--answers: {self._path}: its {self.finished} answers are {_differences(before, origin)}; {_REMEDY}")
        else:
            atomic_write(beside, json.dumps(origin, ensure_ascii=False) + "\n")
        self._stream.truncate(self._end)

    def _count_complete_lines(self, path: Path) -> None:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._end += len(line)
                self.finished += 1
                self.refused += "error" in json.loads(line)

    def write(self, line: str) -> None:
        """Write a line; a reader sees it at once."""
        self.refused += "error" in json.loads(line)
        print(line, file=self._stream, flush=True)

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._path is not None:
            self._stream.close()


def with_first_question(batches: Iterable[Sequence[str]]) -> tuple[dict[str, str], Iterator[Sequence[str]]]:
    """What tells the questions from others: a hash of the first one, since more may come to a file that is continued; and the batches."""
    rest = iter(batches)
    first = next(rest, [])
    asked = next((line.strip() for line in first if line.strip()), "")
    return {FIRST: sha256(asked.encode("utf-8", "backslashreplace")).hexdigest()[:12]}, chain([first], rest)


_REMEDY = "choose another file, or remove this one"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    said = [f"of {name} {_told(before.get(name))}, not {_told(now.get(name))}" for name in names if name != FIRST]
    return " and ".join([*said, *["to other questions"] * (FIRST in names)])


def _told(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
