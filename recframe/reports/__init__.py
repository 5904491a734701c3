"""Results of many runs, collected and summarized over seeds. Imports no torch."""

from recframe.reports.cleaning import Cleaning, plan_cleaning
from recframe.reports.differences import compare_runs
from recframe.reports.export import export_tables
from recframe.reports.frame import sweep_frame
from recframe.reports.page.write import PAGE_NAME, try_to_write_page, write_page
from recframe.reports.report import sweep_markdown, sweep_table
from recframe.reports.runs import NoRuns, Sweep, SweepError, SweepRun, UnfinishedRun, find_runs
from recframe.reports.states import State
from recframe.reports.summary import summarize
from recframe.reports.watching import watch_runs

__all__ = [
    "PAGE_NAME",
    "Cleaning",
    "NoRuns",
    "State",
    "Sweep",
    "SweepError",
    "SweepRun",
    "UnfinishedRun",
    "compare_runs",
    "export_tables",
    "find_runs",
    "plan_cleaning",
    "summarize",
    "sweep_frame",
    "sweep_markdown",
    "sweep_table",
    "try_to_write_page",
    "watch_runs",
    "write_page",
]
