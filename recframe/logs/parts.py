"""Which interactions are trained on, and which are held out: the ways to divide a log, on its rows in order of sequence and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from recframe.interfaces import DataError, Log
from recframe.log_settings import SplitSettings
from recframe.logs.ordering import OrderedRows

TRAIN, VALIDATION, TEST, DUPLICATE = range(4)
"""The parts of a log. Duplicates are in none of the first three."""

LEAST_LENGTH = 3
"""Interactions of a sequence of which the last two are held out: one is left to learn from."""


class QueryRows(NamedTuple):
    """Q queries: the history of each is the rows `starts` to before `ends`, its targets those to before `untils`; each `[Q]` int64."""

    starts: np.ndarray
    ends: np.ndarray
    untils: np.ndarray

    def where(self, chosen: np.ndarray) -> QueryRows:
        """The queries for which `chosen` `[Q]` is true."""
        return QueryRows(self.starts[chosen], self.ends[chosen], self.untils[chosen])


@dataclass(frozen=True)
class Division:
    """A log in three parts.

    part: `[R]` int8, `TRAIN`, `VALIDATION` or `TEST`, of each row of the log.
    validation, test: the queries.
    moments: by name, the moments from which on interactions (or sessions) are held out, in unix seconds.
    """

    part: np.ndarray
    validation: QueryRows
    test: QueryRows
    moments: dict[str, int] = field(default_factory=dict)


def by_last(log: Log, settings: SplitSettings, source: str) -> Division:
    """Of each sequence of three or more, the last row is of the test, the one before of validation. Shorter ones are only trained on."""
    starts, ends = _bounds(log)
    long_enough = ends - starts >= LEAST_LENGTH
    if not long_enough.any():
        raise _too_short(settings, source)
    starts, ends = starts[long_enough], ends[long_enough]
    part = np.full(len(log), TRAIN, dtype=np.int8)
    part[ends - 2], part[ends - 1] = VALIDATION, TEST
    return Division(part, QueryRows(starts, ends - 2, ends - 1), QueryRows(starts, ends - 1, ends))


def by_time(log: Log, settings: SplitSettings, source: str) -> Division:
    """Rows from one moment on are of the test, those from an earlier one on of validation.

    Each sequence with rows after a moment is a query; its history may be empty.
    """
    timestamps = log.timestamps.numpy()
    in_order = np.sort(timestamps)
    moment = settings.moment
    if moment is None:
        moment = _moment_before(in_order, settings.test_share, "split.test_share", source)
    before = in_order[: np.searchsorted(in_order, moment)]
    if len(before) in (0, len(in_order)):
        raise DataError(f"split.time={settings.time}: {source} is all {'before' if len(before) else 'after'} it; {_span(in_order)}")
    wanted = settings.validation_share * len(in_order)
    if wanted >= len(before):
        raise DataError(
            f"split.validation_share={settings.validation_share:g}: that are {wanted:,.0f} interactions, but only {len(before):,} of "
            f"{source} are before split.time; use a smaller share, or a later time"
        )
    earlier = _moment_before(before, wanted / len(before), "split.validation_share", source)
    part = np.full(len(log), TRAIN, dtype=np.int8)
    part[timestamps >= earlier], part[timestamps >= moment] = VALIDATION, TEST
    starts, ends = _bounds(log)
    first = starts + np.add.reduceat(timestamps < earlier, starts, dtype=np.int64)
    second = starts + np.add.reduceat(timestamps < moment, starts, dtype=np.int64)

    def queries(begins: np.ndarray, ends: np.ndarray) -> QueryRows:
        untils = ends if settings.targets == "all" else np.minimum(begins + 1, ends)
        return QueryRows(starts, begins, untils).where(begins < ends)

    return Division(part, queries(first, second), queries(second, ends), {"validation": int(earlier), "test": int(moment)})


def by_users(log: Log, settings: SplitSettings, source: str) -> Division:
    """Everything of some people, drawn among those with a sequence of two or more, is held out; each such sequence is a query."""
    starts, ends = _bounds(log)
    users = log.users.numpy()
    people = np.unique(users[starts[ends - starts > 1]])
    validation, test = _drawn(len(people), settings, "people with two interactions or more", source)
    of_person = np.full(log.num_users, TRAIN, dtype=np.int8)
    of_person[people[validation]], of_person[people[test]] = VALIDATION, TEST
    of_sequence = of_person[users[starts]]

    def queries(part: int) -> QueryRows:
        chosen = (of_sequence == part) & (ends - starts > 1)
        return _one_each(starts[chosen], ends[chosen], settings)

    return Division(of_person[users], queries(VALIDATION), queries(TEST))


def by_sessions(log: Log, settings: SplitSettings, source: str) -> Division:
    """Some sessions are held out; of each, every row but the first is a query (or, with targets all, each session is one)."""
    starts, ends = _bounds(log)
    long_enough = ends - starts > 1
    moments = {}
    of_sequence = np.full(len(starts), TRAIN, dtype=np.int8)
    if settings.sessions == "latest":
        began = log.timestamps.numpy()[starts]
        order = np.argsort(began, kind="stable")
        validation, test = _counts(int(long_enough.sum()), settings, "sessions of two interactions or more", source)
        # places in the order, from which on that many of the sessions are long enough; shorter ones that begin later are held out, too
        places = np.flatnonzero(long_enough[order])
        first, second = places[-(validation + test)], places[-test]
        of_sequence[order[first:]], of_sequence[order[second:]] = VALIDATION, TEST
        moments = {"validation": int(began[order[first]]), "test": int(began[order[second]])}
    else:
        sessions = np.flatnonzero(long_enough)
        drawn = _drawn(len(sessions), settings, "sessions of two interactions or more", source)
        of_sequence[sessions[drawn[0]]], of_sequence[sessions[drawn[1]]] = VALIDATION, TEST

    def queries(part: int) -> QueryRows:
        chosen = (of_sequence == part) & long_enough
        if settings.targets == "all":
            return _one_each(starts[chosen], ends[chosen], settings)
        rows = ranges(starts[chosen] + 1, ends[chosen])
        return QueryRows(np.repeat(starts[chosen], ends[chosen] - starts[chosen] - 1), rows, rows + 1)

    return Division(np.repeat(of_sequence, ends - starts), queries(VALIDATION), queries(TEST), moments)


def by_random(log: Log, settings: SplitSettings, source: str) -> Division:
    """Of each sequence, a share of the rows is of the test and one of validation; the rows are in `divided_order`.

    Each share is rounded down, but is one row or more of sequences of three or more (as in RecBole: Zhao et al., 2021). Shorter ones are
    only trained on.
    """
    starts, ends = _bounds(log)
    long_enough = ends - starts >= LEAST_LENGTH
    if not long_enough.any():
        raise _too_short(settings, source)
    starts, ends = starts[long_enough], ends[long_enough]
    validation, test = _shares(ends - starts, settings)
    first, second = ends - test - validation, ends - test
    part = np.full(len(log), TRAIN, dtype=np.int8)
    part[ranges(first, second)], part[ranges(second, ends)] = VALIDATION, TEST
    return Division(part, QueryRows(starts, first, second), QueryRows(starts, second, ends))


def divided_order(order: OrderedRows, settings: SplitSettings) -> OrderedRows:
    """The order in which rows are divided: that of time.

    `by_random` holds out the last rows of each sequence, so that those that were drawn come last; each part is in order of time.
    """
    if settings.by != "random":
        return order
    generator = torch.Generator().manual_seed(settings.seed)
    draws = torch.rand(len(order.rows), dtype=torch.float64, generator=generator).numpy()
    lengths = np.diff(order.offsets)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    drawn = np.lexsort((draws, sequence))
    validation, test = (np.where(lengths >= LEAST_LENGTH, share, 0)[sequence] for share in _shares(lengths, settings))
    places = np.arange(len(drawn)) - order.offsets[:-1][sequence]
    left = lengths[sequence] - places
    part = np.empty_like(drawn)
    part[drawn] = (left <= test + validation).astype(np.int64) + (left <= test)
    return order._replace(rows=order.rows[np.lexsort((part, sequence))])


def _shares(lengths: np.ndarray, settings: SplitSettings) -> tuple[np.ndarray, np.ndarray]:
    """How many rows of sequences of these lengths `[S]` are of validation and of the test, at random; each `[S]`."""
    test = np.clip((settings.test_share * lengths).astype(np.int64), 1, np.maximum(lengths - 2, 1))
    return np.clip((settings.validation_share * lengths).astype(np.int64), 1, np.maximum(lengths - 1 - test, 1)), test


DIVISIONS: dict[str, Callable[[Log, SplitSettings, str], Division]] = {
    "last": by_last,
    "time": by_time,
    "users": by_users,
    "sessions": by_sessions,
    "random": by_random,
}


def ranges(firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """The numbers from each of `firsts` `[n]` to before each of `lasts` `[n]`, one range after the other, int64."""
    lengths = lasts - firsts
    return np.repeat(lasts - np.cumsum(lengths), lengths) + np.arange(lengths.sum())


def _too_short(settings: SplitSettings, source: str) -> DataError:
    return DataError(
        f"{source}: no sequence has {LEAST_LENGTH} interactions, so that split.by={settings.by} can hold none out; use split.by=time, "
        "which needs no long sequences (and logs.sequence=user, if the sequences are sessions)"
    )


def _bounds(log: Log) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each sequence, and the row after its last, each `[S]`."""
    offsets = log.offsets.numpy()
    return offsets[:-1], offsets[1:]


def _one_each(starts: np.ndarray, ends: np.ndarray, settings: SplitSettings) -> QueryRows:
    """A query for each sequence of two or more: its last row, or what follows the share that is the history."""
    if settings.targets == "next":
        return QueryRows(starts, ends - 1, ends)
    lengths = ends - starts
    history = np.clip(np.round(settings.history_share * lengths).astype(np.int64), 1, lengths - 1)
    return QueryRows(starts, starts + history, ends)


def _moment_before(in_order: np.ndarray, share: float, key: str, source: str) -> int:
    """The timestamp from which on about `share` of the timestamps, which are in order, are; some are before it.

    All of one second are on the same side of it, so that the share is met only as far as they allow.
    """
    moment = in_order[min(round((1.0 - share) * len(in_order)), len(in_order) - 1)]
    if moment == in_order[0]:
        later = np.searchsorted(in_order, moment, side="right")
        if later == len(in_order):
            raise DataError(f"{key}: {source} cannot be divided by time, since all interactions are of one moment; use split.by=last")
        moment = in_order[later]
    return int(moment)


def _span(in_order: np.ndarray) -> str:
    first, last = (np.datetime64(int(moment), "s") for moment in (in_order[0], in_order[-1]))
    return f"its interactions are from {first} to {last} (UTC)"


def _counts(size: int, settings: SplitSettings, what: str, source: str) -> tuple[int, int]:
    """How many of `size` are of validation and of the test: one or more of each, and one or more is left."""
    if size < 3:
        raise DataError(f"split.by={settings.by}: {source} has {size} {what}; 3 or more are needed")
    test = min(max(round(settings.test_share * size), 1), size - 2)
    return min(max(round(settings.validation_share * size), 1), size - 1 - test), test


def _drawn(size: int, settings: SplitSettings, what: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Which of `size` are of validation, and which of the test."""
    validation, test = _counts(size, settings, what, source)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(settings.seed)).numpy()
    return order[test : test + validation], order[:test]
