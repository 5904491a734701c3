"""Cells and tables of reports on many runs, for the terminal and in Markdown. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def interval_cell(mean: float | None, low: float | None, high: float | None) -> str:
    """A mean and its interval, as far as they are known."""
    if mean is None:
        return "-"
    return number(mean) if low is None or high is None else f"{number(mean)} [{number(low)}, {number(high)}]"


def number(value: float) -> str:
    """Three significant digits; "-" if the value is unknown."""
    if math.isnan(value):
        return "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def markdown_row(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def block(header: Sequence[str], rows: Sequence[Sequence[str]], labels: int) -> Table:
    """A table of the first `labels` columns and some metrics."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="left" if index < labels else "right", overflow="fold")
    for row in rows:
        # in a narrow terminal a cell breaks between mean and interval, not within the interval
        cells = [cell if index < labels else cell.replace(", ", ",") for index, cell in enumerate(row)]
        table.add_row(*map(Text, cells), style="bold" if "trained" in row else None)
    return table
