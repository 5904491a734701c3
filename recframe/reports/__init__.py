"""Results of many runs, collected and summarized over seeds. Imports no torch."""

from recframe.reports.frame import sweep_frame
from recframe.reports.report import sweep_markdown, sweep_table
from recframe.reports.runs import Sweep, SweepError, SweepRun, UnfinishedRun, find_runs
from recframe.reports.summary import summarize

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
