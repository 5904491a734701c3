"""Results of many runs, collected and summarized over seeds. Imports no torch."""

from recframe.reports.report import summarize, sweep_frame, sweep_markdown, sweep_table
from recframe.reports.runs import Sweep, SweepError, SweepRun, UnfinishedRun, find_runs

__all__ = [
    "Sweep",
    "SweepError",
    "SweepRun",
    "UnfinishedRun",
    "find_runs",
    "summarize",
    "sweep_frame",
    "sweep_markdown",
    "sweep_table",
]
