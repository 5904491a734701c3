"""Results of many runs, collected and summarized over seeds. Imports no torch."""

from recframe.reports.frame import sweep_frame
from recframe.reports.page.write import PAGE_NAME, try_to_write_page, write_page
from recframe.reports.report import sweep_markdown, sweep_table
from recframe.reports.runs import Sweep, SweepError, SweepRun, UnfinishedRun, find_runs
from recframe.reports.states import State
from recframe.reports.summary import summarize

__all__ = [
    "PAGE_NAME",
    "State",
    "Sweep",
    "SweepError",
    "SweepRun",
    "UnfinishedRun",
    "find_runs",
    "summarize",
    "sweep_frame",
    "sweep_markdown",
    "sweep_table",
    "try_to_write_page",
    "write_page",
]
