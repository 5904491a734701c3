"""The terminal's output. What cannot be written never ends a command: letters are replaced, and a lost stream falls silent."""

from __future__ import annotations

import errno
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

FILE_WIDTH = 160

log = logging.getLogger(__name__)


class SafeStream:
    """A text stream whose `write` and `flush` raise nothing. Everything else is that of the stream it wraps.

    A character that the stream's encoding lacks is written as "?". After the first write that fails for another reason (a closed pipe, a
    full disk) nothing more is written, and the reason is logged once.

    Parameters
    ----------
    stream: the stream to write to.     name: what it is called in messages.

    Attributes
    ----------
    failure: why the stream was given up; None while it works.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.failure: OSError | ValueError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write what can be written of `text`; returns its length, as for every stream."""
        if self.failure is None:
            try:
                self._write(text)
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream, if it still works."""
        if self.failure is None:
            try:
                self.stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    @property
    def closed_by_reader(self) -> bool:
        """Whether the other end of a pipe was closed, as `head` does: its reader wants no more."""
        return isinstance(self.failure, OSError) and self.failure.errno == errno.EPIPE

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, "replace").decode(encoding))

    def _give_up(self, error: OSError | ValueError) -> None:
        self.failure = error
        _discard(self.stream)
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if log.hasHandlers():
            log.warning("%s cannot be written (%s): nothing more is printed there", self.name, reason)
        if self.name == STANDARD_OUTPUT and not self.closed_by_reader:
            print(f"recframe: {self.name} cannot be written ({reason})", file=safe(sys.stderr, STANDARD_ERROR))


STANDARD_OUTPUT, STANDARD_ERROR = "standard output", "standard error"


def safe(stream: TextIO | None, name: str) -> TextIO:
    """`stream` as a `SafeStream`. For None, which Python has in place of a closed stream, one that discards everything."""
    if isinstance(stream, SafeStream):
        return cast(TextIO, stream)
    return cast(TextIO, SafeStream(open(os.devnull, "w", encoding="utf-8") if stream is None else stream, name))


def protect_output() -> None:
    """Make the process's standard output and error safe. The command line does this first, before any handler of a log has a stream."""
    sys.stdout = safe(sys.stdout, STANDARD_OUTPUT)
    sys.stderr = safe(sys.stderr, STANDARD_ERROR)


def output_was_lost() -> bool:
    """Whether standard output could not be written, for another reason than a reader that wanted no more."""
    sys.stdout.flush()
    return isinstance(sys.stdout, SafeStream) and sys.stdout.failure is not None and not sys.stdout.closed_by_reader


_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet_output(quiet: bool = True) -> Iterator[None]:
    """Print no tables and show no progress bars in the block, if `quiet` is set; other threads print on."""
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)


class _Width:
    """The number of letters in a line of a file or a pipe, which `set_width` sets."""

    letters = FILE_WIDTH


def set_width(letters: int | None) -> None:
    """Print lines of up to so many letters from now on, where this process prints to a pipe that ends in a terminal; None: as to a file."""
    _Width.letters = FILE_WIDTH if letters is None else letters


def output_console() -> Console:
    """A console of the terminal's width. A file or a pipe gets lines of up to `FILE_WIDTH` characters, so that few rows are wrapped."""
    if _quiet.get():
        return Console(quiet=True)
    stream = safe(sys.stdout, STANDARD_OUTPUT)
    return Console(file=stream, width=None if stream.isatty() else _Width.letters)


def error_console() -> Console:
    """A console on standard error, for warnings and progress bars."""
    return Console(file=safe(sys.stderr, STANDARD_ERROR))


def plain(text: str, most: int = 200) -> str:
    """A text from data or from a server that is safe to print: without control characters, and cut after `most` characters."""
    # "C": control characters, such as those of terminals, and the invisible ones that change the direction of text
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter).startswith("C") else letter for letter in text[: most + 1])
    return clean if len(clean) <= most else f"{clean[: most - 3]}..."


def progress_bar(
    label: str, column: ProgressColumn, show: bool, console: Console | None = None, done: ProgressColumn | None = None
) -> Progress:
    """A progress bar with a label and one more column.

    It is shown if `show` is set and the console, by default that of standard error, is a terminal. `done` says how much is done; by default
    as "3/8".
    """
    console = console or error_console()
    columns = (TextColumn(label, markup=False), BarColumn(), done or MofNCompleteColumn(), column, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=_quiet.get() or not (show and console.is_terminal))


def _discard(stream: TextIO) -> None:
    """Send what is left in the buffer of a lost standard stream to nowhere: Python would write it again when it exits, and fail."""
    if stream not in (sys.__stdout__, sys.__stderr__):
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # it is closed: nothing is left
