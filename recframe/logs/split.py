"""Splits of a log: what may be fitted on, and the queries of validation and test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch

from recframe.interfaces import DataError, Interactions, Log
from recframe.log_settings import LogSettings, SplitSettings, split_problems
from recframe.logs.build import described_click, log_in_order
from recframe.logs.held_out import HeldOut
from recframe.logs.ordering import has_sessions, sequences_of
from recframe.logs.parts import DIVISIONS, DUPLICATE, TEST, TRAIN, VALIDATION, QueryRows, divided_order, ranges
from recframe.logs.split_summary import summary_of

logger = logging.getLogger(__name__)

DEFAULT = SplitSettings()


@dataclass(frozen=True)
class SplitLog:
    """A log in three parts.

    train: the interactions that everything is fitted on.
    known: those of training and validation: all that is known before the test.
    validation: queries for choices such as the best checkpoint.   test: queries for the final table.
    part: `[R]` int8, the part of each of the interactions that were split: `TRAIN`, `VALIDATION`, `TEST`, or `DUPLICATE`, which is in none.
    settings: what was asked for.   moments: by part, the unix seconds from which on it was held out, if it was divided by time.
    """

    train: Interactions
    known: Interactions
    validation: HeldOut
    test: HeldOut
    part: np.ndarray
    settings: SplitSettings = field(default_factory=SplitSettings)
    moments: Mapping[str, int] = field(default_factory=dict)

    def rows_of_test(self, interactions: Interactions, settings: LogSettings) -> torch.Tensor:
        """The rows `[n]` int64 of `test.log` that are held out for the test.

        interactions, settings: those that were split.
        """
        kept = self.part != DUPLICATE
        order = divided_order(sequences_of(interactions.where(kept), settings), self.settings)
        return torch.from_numpy(np.flatnonzero(self.part[kept][order.rows] == TEST))

    def summary(self) -> dict[str, Any]:
        """What was split and how, in numbers, for files that record a run."""
        return summary_of(self)


def split_log(
    interactions: Interactions, num_users: int, num_items: int, settings: LogSettings, split: SplitSettings = DEFAULT
) -> SplitLog:
    """Divide a log, in the way that `split.by` says:

    - `last`, leave one out: of each sequence of three interactions or more, the last is for the test and the one before for validation.
    - `time`: interactions from a moment on are for the test, and those from an earlier one on for validation. A query is what a user did
      before the moment, which is nothing for users who come later.
    - `users`: everything of some people is held out. A query is what one did before their last interaction (targets: all: in the first
      share of their interactions).
    - `sessions`: everything of some sessions is held out. Each interaction of a session but the first is a query (targets: all: each
      session is one, with its first share as history).
    - `random`: drawn interactions of each sequence of three or more are held out, whenever they were; a query is what is left of the
      sequence, each part in order of time. Published figures are often of such splits. What is learned from then knows the future of what
      is asked, so that it says little about a recommender in use.

    Interactions of a user with an item that are of the same second (and session) and have the same feedback are duplicates: only the last
    of them is used, unless the log has propensities, where each row is a decision of its own. Those with other feedback, such as a view and
    a purchase, are different events, and all are used. A user's interactions of the same second are in the order of their rows.

    Raises
    ------
    DataError: the settings contradict each other or do not fit the log, or it is too small or without clicks.
    """
    if problems := split_problems(split):
        raise DataError("\n".join(problems))
    source = interactions.source or "the log"
    _check_sequences(has_sessions(interactions, settings), split, source)
    order = sequences_of(interactions, settings)
    duplicates = order.rows[_duplicates(interactions, order.rows)]
    part = np.full(len(interactions), DUPLICATE, dtype=np.int8)
    kept = np.ones(len(interactions), dtype=bool)
    if len(duplicates):
        logger.warning(
            "%s: %d interactions repeat another one of the same user, item, second and feedback: left out", source, len(duplicates)
        )
        kept[duplicates] = False
        interactions = interactions.where(kept)
        order = sequences_of(interactions, settings)
    order = divided_order(order, split)
    log = log_in_order(interactions, order, num_users, num_items, settings)
    if not log.clicked.any():
        raise DataError(f"{source}: no interaction is a click: {described_click(interactions, settings)}")
    parts = DIVISIONS[split.by](log, split, source)
    of_row = np.empty_like(parts.part)
    of_row[order.rows] = parts.part
    part[kept] = of_row
    result = SplitLog(
        train=interactions.where(of_row == TRAIN),
        known=interactions.where((of_row == TRAIN) | (of_row == VALIDATION)),
        validation=queries_of(log, parts.validation),
        test=queries_of(log, parts.test),
        part=part,
        settings=split,
        moments=parts.moments,
    )
    for name, held_out in (("validation", result.validation), ("test", result.test)):
        if not len(held_out):
            raise DataError(
                f"{source}: nothing that is held out for the {name} is a click, so that there is nothing to find: "
                f"{described_click(interactions, settings)}"
            )
    return result


def queries_of(log: Log, rows: QueryRows) -> HeldOut:
    """The queries as `HeldOut`. Their targets are the clicks among the rows; an item that is a target of one twice counts once.

    Queries without a click are left out: what was shown and not taken is nothing that a policy should find.
    """
    lengths = rows.untils - rows.ends
    query = np.repeat(np.arange(len(lengths)), lengths)
    places = torch.from_numpy(ranges(rows.ends, rows.untils))
    clicked = log.clicked[places].numpy()
    items, query = log.items[places].numpy()[clicked], query[clicked]
    _, first = np.unique(query * log.num_items + items, return_index=True)
    first.sort()
    counts = np.bincount(query[first], minlength=len(lengths))
    kept = counts > 0
    starts, ends = torch.from_numpy(rows.starts[kept]), torch.from_numpy(rows.ends[kept])
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(counts[kept])]))
    return HeldOut(log, starts, ends, log.users[starts], torch.from_numpy(items[first]), offsets)


def queries_for_rows(log: Log, starts: np.ndarray, targets: np.ndarray) -> HeldOut:
    """A query for each of the rows `targets` `[Q]`: its item after the rows from `starts` `[Q]` on."""
    return queries_of(log, QueryRows(starts, targets, targets + 1))


def without_rows(interactions: Interactions, rows: np.ndarray) -> Interactions:
    """The interactions without the rows `[r]` of the frame."""
    kept = np.ones(len(interactions), dtype=bool)
    kept[rows] = False
    return interactions.where(kept)


def _check_sequences(by_session: bool, split: SplitSettings, source: str) -> None:
    if split.by == "sessions" and not by_session:
        raise DataError(
            f"split.by=sessions: the sequences of {source} are users; use logs.sequence=session (or auto) if it has sessions, "
            "or logs.session_gap=1800 to begin a new one after half an hour"
        )
    if split.by == "time" and by_session:
        raise DataError(
            f"split.by=time divides what a user did, but the sequences of {source} are sessions, which hardly ever go on after a moment; "
            "use logs.sequence=user, or split.by=sessions"
        )


def _duplicates(interactions: Interactions, rows: np.ndarray) -> np.ndarray:
    """Whether each place of the order `rows` repeats in a later one, `[R]` bool: the same user, item, second, session and feedback."""
    frame = interactions.frame
    if "propensity" in frame.columns:
        # each row is a decision of its own
        return np.zeros(len(rows), dtype=bool)
    keys = [frame[name].to_numpy()[rows] for name in ("user", "timestamp")]
    same = np.ones(len(rows), dtype=bool)
    same[:1] = False
    for key in keys:
        same[1:] &= key[1:] == key[:-1]
    found = np.zeros(len(rows), dtype=bool)
    if not same.any():
        return found
    # only places of a second with several interactions can be duplicates
    items = frame["item"].to_numpy()
    tied = same.copy()
    tied[:-1] |= same[1:]
    places = np.flatnonzero(tied)
    pairs = np.cumsum(~same)[places] * (items.max() + 1) + items[rows[places]]
    # and of those, only places of an item that occurs twice in the second: feedback is compared for these alone
    _, number, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    again = counts[number] > 1
    places, number = places[again], number[again]
    kept = rows[places]
    # where sequences are users, the sessions of one second may take turns; polars takes NaN for equal to NaN
    names = [*interactions.feedback, *(["session"] if "session" in frame.columns else [])]
    events = pl.DataFrame({"made:event": number} | {f"column:{name}": frame[name].gather(kept) for name in names})
    found[places] = ~events.select(pl.struct(pl.all()).is_last_distinct()).to_series().to_numpy()
    return found
