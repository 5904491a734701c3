"""Logged interactions as training and test data: tensors, splits, transitions made on the fly, and held-out queries."""

from recframe.logs.build import LogSettings, build_log, logged_signals, sequences_of
from recframe.logs.held_out import HeldOut, Queries
from recframe.logs.sequences import SequenceSampler
from recframe.logs.split import SplitLog, queries_for_rows, split_log, without_rows
from recframe.logs.transitions import LoggedTransitions
from recframe.logs.windows import observations, windows

__all__ = [
    "HeldOut",
    "LogSettings",
    "LoggedTransitions",
    "Queries",
    "SequenceSampler",
    "SplitLog",
    "build_log",
    "logged_signals",
    "observations",
    "queries_for_rows",
    "sequences_of",
    "split_log",
    "windows",
    "without_rows",
]
