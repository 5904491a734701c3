"""Lines of a file or of the standard input in batches: as many as there are, without waiting for more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from recframe.errors import UserError

STANDARD_INPUT = Path("-")


def batches_of_lines(path: Path, standard_input: TextIO, size: int, option: str) -> Iterator[list[str]]:
    """At most `size` lines at a time. The file is opened at once, and read as lines are needed.

    From the standard input come those that are there: whoever writes a line and waits for its answer gets it.

    Raises
    ------
    UserError: the file cannot be read, or is not text. `option` names it in the message.
    """
    if path == STANDARD_INPUT:
        return _available(_lines(standard_input, option), size)
    try:
        return _full(_lines(path.open(encoding="utf-8-sig"), f"{option}: {path}"), size)
    except OSError as error:
        raise UserError(f"{option}: {path}: cannot be read ({error.strerror})") from None


def _lines(stream: TextIO, named: str) -> Iterator[str]:
    with stream:
        try:
            yield from stream
        except UnicodeDecodeError as error:
            raise UserError(f"{named}: is not text in UTF-8 ({error.reason})") from None


def _full(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(lines, size)):
        yield batch


def _available(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting: queue.Queue[str | UserError | None] = queue.Queue(maxsize=size)

    def read() -> None:
        try:
            for line in lines:
                waiting.put(line)
        except UserError as error:
            waiting.put(error)
        waiting.put(None)

    # a daemon: it may be waiting for a line that never comes when the program ends
    threading.Thread(target=read, name="standard input", daemon=True).start()
    ended: str | UserError | None = ""
    while ended is not None:
        batch: list[str] = []
        ended = waiting.get()
        while isinstance(ended, str):
            batch.append(ended)
            if len(batch) == size or waiting.empty():
                break
            ended = waiting.get()
        if batch:
            yield batch
        if isinstance(ended, UserError):
            raise ended
