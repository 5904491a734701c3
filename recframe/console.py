"""The terminal: the console of standard output, for tables, and progress bars on standard error."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

FILE_WIDTH = 160


def output_console() -> Console:
    """A console of the terminal's width. A file or a pipe gets lines of up to `FILE_WIDTH` characters, so that few rows are wrapped."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)


def progress_bar(label: str, column: ProgressColumn, show: bool, console: Console | None = None) -> Progress:
    """A progress bar with a label and one more column.

    It is shown if `show` is set and the console, by default that of standard error, is a terminal.
    """
    console = console or Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), column, TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not (show and console.is_terminal))
