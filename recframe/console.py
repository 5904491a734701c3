"""The rich console of standard output, for every command that prints tables."""

from __future__ import annotations

import sys

from rich.console import Console

FILE_WIDTH = 160


def output_console() -> Console:
    """A console of the terminal's width. A file or a pipe gets lines of up to `FILE_WIDTH` characters, so that few rows are wrapped."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
