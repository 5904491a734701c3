"""Many questions to a policy, as JSON lines: read and answered one at a time, so that memory does not grow with their number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from recframe.errors import UserError
from recframe.serving.items import RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.query_error import QueryError

STANDARD_INPUT = Path("-")
KEYS = ("history", "user", "profile", "context", "k", "candidates", "exclude")


def questions_in(path: Path, standard_input: TextIO) -> Iterator[str]:
    """The lines of a file of questions, which are read as they are needed.

    Raises
    ------
    UserError: the file cannot be read.
    """
    if path == STANDARD_INPUT:
        return _lines(standard_input)
    try:
        return _lines(path.open(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"--questions: {path}: cannot be read ({error.strerror})") from None


def _lines(stream: TextIO) -> Iterator[str]:
    with stream:
        yield from stream


def answered(policy: LoadedPolicy, lines: Iterable[str], k: int, skip: int = 0) -> Iterator[str]:
    """A line of JSON for each question: its `id`, if it has one, and the `items`, or the `error`. Empty lines are left out.

    A question is an object with the arguments of `LoadedPolicy.recommend`, all of them optional, and an `id` of any kind.

    k: for questions without their own.   skip: the number of questions that were answered before.
    """
    number = 0
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        number += 1
        if number > skip:
            yield _answer(policy, line, place, k)


def _answer(policy: LoadedPolicy, line: str, place: int, k: int) -> str:
    question: Mapping[str, Any] = {}
    try:
        read = json.loads(line)
        if not isinstance(read, dict):
            raise QueryError(f"line {place}: a question is an object such as {{'history': ['17']}}, not {type(read).__name__}")
        question = read
        if unknown := [key for key in question if key not in (*KEYS, "id")]:
            raise QueryError(f"line {place}: a question has no {unknown[0]!r}; it may have: id, {', '.join(KEYS)}")
        given = {key: value for key, value in question.items() if key in KEYS and value is not None}
        if isinstance(given.get("history"), list):
            given["history"] = [tuple(entry) if isinstance(entry, list) else entry for entry in given["history"]]
        return answer_line(question, policy.recommend(**{"k": k, **given}))
    except (UserError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, UserError) else f"line {place}: not JSON ({error})"
        return json.dumps({**_id(question), "error": reason}, ensure_ascii=False)


def answer_line(question: Mapping[str, Any], items: RankedItems) -> str:
    """The items as one line of JSON, with the `id` of the question."""
    entries = [{"id": item.id, "title": item.title, **({} if item.score is None else {"score": item.score})} for item in items]
    return json.dumps({**_id(question), "items": entries}, ensure_ascii=False)


def _id(question: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": question["id"]} if "id" in question else {}


class Answers:
    """Where answers are written, a line each: a file, or the standard output.

    A file that exists is continued: `finished` is the number of its complete lines, and half a line at its end, which a killed process may
    have left, is removed. `refused` counts the answers that are errors.

    Raises
    ------
    UserError: the file cannot be written.
    """

    def __init__(self, path: Path | None, standard_output: TextIO) -> None:
        self.finished = self.refused = 0
        self._path = path
        self._stream = standard_output
        if path is None:
            return
        try:
            if path.exists():
                self._keep_complete_lines(path)
            self._stream = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--answers: {path}: cannot be written ({error.strerror})") from None
        except (ValueError, TypeError):
            raise UserError(f"--answers: {path}: holds something else than answers; choose another file") from None

    def _keep_complete_lines(self, path: Path) -> None:
        end = 0
        with path.open("r+b") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                self.finished += 1
                self.refused += "error" in json.loads(line)
            file.truncate(end)

    def write(self, line: str) -> None:
        """Write a line; a reader sees it at once."""
        self.refused += "error" in json.loads(line)
        print(line, file=self._stream, flush=True)

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._path is not None:
            self._stream.close()
