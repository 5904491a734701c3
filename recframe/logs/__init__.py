"""Logged interactions as training and test data: tensors, splits, transitions made on the fly, and held-out queries."""

from recframe.log_settings import LogSettings, SplitSettings
from recframe.logs.build import build_log, logged_signals
from recframe.logs.held_out import HeldOut, NewTargets, Queries
from recframe.logs.k_core import k_core
from recframe.logs.ordering import OrderedRows, sequences_of
from recframe.logs.sequences import SequenceSampler
from recframe.logs.split import SplitLog, queries_for_rows, split_log, without_rows
from recframe.logs.training_data import texts_in_training, training_data
from recframe.logs.transitions import LoggedTransitions
from recframe.logs.windows import observations, windows

__all__ = [
    "HeldOut",
    "LogSettings",
    "LoggedTransitions",
    "NewTargets",
    "OrderedRows",
    "Queries",
    "SequenceSampler",
    "SplitLog",
    "SplitSettings",
    "build_log",
    "k_core",
    "logged_signals",
    "observations",
    "queries_for_rows",
    "sequences_of",
    "split_log",
    "texts_in_training",
    "training_data",
    "windows",
    "without_rows",
]
