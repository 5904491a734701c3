"""Splits of a log: what may be fitted on, and the queries of validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from recframe.interfaces import DataError, Interactions, Log
from recframe.logs.build import LogSettings, build_log, sequences_of
from recframe.logs.held_out import HeldOut

LEAST_LENGTH = 3
"""Interactions of a sequence of which the last two are held out: one is left to learn from."""


@dataclass(frozen=True)
class SplitLog:
    """A log in three parts.

    train: the interactions that everything is fitted on.
    validation: queries for choices such as the best checkpoint.   test: queries for the final table.
    """

    train: Interactions
    validation: HeldOut
    test: HeldOut


def split_log(interactions: Interactions, num_users: int, num_items: int, settings: LogSettings) -> SplitLog:
    """Leave one out by time: of each sequence of three interactions or more, the last is for the test and the one before for validation.

    Shorter sequences are only trained on.

    Raises
    ------
    DataError: no sequence is long enough.
    """
    rows, offsets = sequences_of(interactions, settings)
    starts, ends = offsets[:-1], offsets[1:]
    long_enough = ends - starts >= LEAST_LENGTH
    if not long_enough.any():
        raise DataError(f"{interactions.source or 'the log'}: no sequence has {LEAST_LENGTH} interactions, so that none can be held out")
    held_out = np.zeros(rows.height, dtype=bool)
    for before in (1, 2):
        held_out[ends[long_enough] - before] = True
    log = build_log(interactions, num_users, num_items, settings)

    def left_out(before: int) -> HeldOut:
        return queries_for_rows(log, starts[long_enough], ends[long_enough] - before)

    return SplitLog(train=without_rows(interactions, rows["row"].to_numpy()[held_out]), validation=left_out(2), test=left_out(1))


def queries_for_rows(log: Log, starts: np.ndarray, targets: np.ndarray) -> HeldOut:
    """A query for each of the rows `targets` `[Q]`: its item after the rows from `starts` `[Q]` on."""
    first, rows = torch.from_numpy(starts), torch.from_numpy(targets)
    return HeldOut(log, first, rows, log.users[rows], log.items[rows], torch.arange(len(rows) + 1))


def without_rows(interactions: Interactions, rows: np.ndarray) -> Interactions:
    """The interactions without the rows `[r]` of the frame."""
    kept = np.ones(len(interactions), dtype=bool)
    kept[rows] = False
    features = interactions.features
    return replace(
        interactions,
        frame=interactions.frame.filter(pl.Series(kept)),
        features=None if features is None else features[torch.from_numpy(kept)],
    )
