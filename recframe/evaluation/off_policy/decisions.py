"""Logged decisions as a dataset has them, and what an evaluated policy and a reward model say about each, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.evaluation.off_policy.policies import ActionProbabilities
from recframe.evaluation.off_policy.reward_models import DecisionRewardModel
from recframe.evaluation.statistics import CHUNK_ELEMENTS
from recframe.interfaces.data import DataError, Interactions

COLUMNS = ("actions", "rewards", "propensities", "people", "sessions", "contexts")
"""The parts of a log that have one row for each decision."""


@dataclass(frozen=True)
class LoggedDecisions:
    """n decisions to show one of M items, in the order of time within a person and session.

    actions: `[n]` int64, the items shown.   rewards: `[n]`.
    propensities: `[n]`, the logging policy's probability of each item shown; in (0, 1].
    people: `[n]`, integers that tell people apart: the unit of every interval.
    num_items: M.
    sessions: `[n]`, integers that tell sessions apart, or None.
    contexts: `[n, X]`, what the logging policy could know, as numbers, or None. The place on a page is one of these: where propensities are
        of an item at a position, as in Open Bandit, each row is a decision for its position, and a value is the mean over the positions.
    logging: the logging policy's probabilities of all items, if they are known.

    Raises
    ------
    DataError: lengths that differ, or items out of range.
    """

    actions: np.ndarray
    rewards: np.ndarray
    propensities: np.ndarray
    people: np.ndarray
    num_items: int
    sessions: np.ndarray | None = None
    contexts: np.ndarray | None = None
    logging: ActionProbabilities | None = None

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name in COLUMNS if (column := getattr(self, name)) is not None}
        if len(set(lengths.values())) > 1:
            raise DataError("all parts of a log need one row for each decision, not " + ", ".join(f"{k}: {v}" for k, v in lengths.items()))
        if not len(self.actions):
            raise DataError("the log is empty: there are no decisions to estimate from")
        wrong = (self.actions < 0) | (self.actions >= self.num_items)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(f"actions: row {row} is {self.actions[row]}; items are numbers from 0 to {self.num_items - 1}")

    def __len__(self) -> int:
        return len(self.actions)

    def chunks(self) -> Iterator[np.ndarray]:
        """The numbers of all rows in pieces, `[c]` int64 each, so that `[c, M]` arrays stay bounded."""
        step = max(1, CHUNK_ELEMENTS // self.num_items)
        return (np.arange(start, min(start + step, len(self))) for start in range(0, len(self), step))

    def rows(self, rows: np.ndarray) -> LoggedDecisions:
        """These rows of the log, in this order."""
        logging = self.logging
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in COLUMNS if getattr(self, name) is not None},
            logging=None if logging is None else lambda places: logging(rows[places]),
        )


class Judged(NamedTuple):
    """A log as single-item estimators read it, and how much the policy does that could not or did not get logged."""

    log: SingleItemLog
    unlogged: float
    impossible: float
    cluster_probabilities: np.ndarray | None = None
    """`[n]`, p(e|x, pi) of the logged items' clusters, if there are clusters."""


def logged_decisions(
    interactions: Interactions,
    num_items: int,
    reward: str,
    session: str | None = None,
    features: tuple[str, ...] = (),
    propensity: str = "propensity",
    logging: ActionProbabilities | None = None,
) -> LoggedDecisions:
    """The decisions in interactions that have propensities.

    reward: the feedback column that is the reward.   session: the column that numbers sessions, or None.
    features: columns of numbers that make up the context, or lists of them; none: the interactions' own `features`, if they have some.

    Raises
    ------
    DataError: a column that is missing, or one with nulls, with its file and row.
    """
    frame = interactions.frame
    source = interactions.source or "the interactions"
    wanted = [reward, propensity, *features, *([session] if session else [])]
    missing = [name for name in wanted if name not in frame.columns]
    if missing == [propensity]:
        raise DataError(
            f"{source}: there is no column {propensity!r} with the probability of each logged item; without it a log tells only of its own "
            "policy"
        )
    if missing:
        raise DataError(f"{source}: there is no column {missing[0]!r}; there are {', '.join(frame.columns)}")
    for name in wanted:
        if frame[name].null_count():
            row = int(frame[name].is_null().arg_max() or 0)
            raise DataError(f"{source}: column {name!r} has no value in row {row}; every logged decision needs one")
    keys = [frame[name] for name in ("user", *([session] if session else []))]
    return LoggedDecisions(
        actions=frame["item"].to_numpy(),
        rewards=frame[reward].cast(pl.Float64).to_numpy(),
        propensities=frame[propensity].cast(pl.Float64).to_numpy(),
        people=keys[0].to_numpy(),
        num_items=num_items,
        # a session is a person's: two people may have sessions of one number
        sessions=pl.DataFrame(keys).select(pl.struct(pl.all()).rank("dense")).to_series().to_numpy().astype(np.int64) if session else None,
        contexts=_contexts(interactions, features),
        logging=logging,
    )


def judged_decisions(
    decisions: LoggedDecisions, policy: ActionProbabilities, model: DecisionRewardModel | None = None, clusters: np.ndarray | None = None
) -> Judged:
    """What `policy` would have done in each logged situation, from its probabilities of all items in chunks of rows.

    Raises
    ------
    DataError: probabilities of another shape, out of range, or that do not sum to 1, with the row.
    """
    rows = len(decisions)
    never = np.bincount(decisions.actions, minlength=decisions.num_items) == 0
    logged, expected, of_cluster = np.empty(rows), np.empty(rows), np.empty(rows)
    unlogged = impossible = 0.0
    for chunk in decisions.chunks():
        probabilities = _checked(policy(chunk), chunk, decisions.num_items)
        actions = decisions.actions[chunk]
        logged[chunk] = probabilities[np.arange(len(chunk)), actions]
        unlogged += float(probabilities[:, never].sum())
        if decisions.logging is not None:
            impossible += float((probabilities * (_checked(decisions.logging(chunk), chunk, decisions.num_items) == 0)).sum())
        if model is not None:
            expected[chunk] = (probabilities * model.predict(chunk)).sum(axis=1)
        if clusters is not None:
            of_cluster[chunk] = (probabilities * (clusters == clusters[actions][:, None])).sum(axis=1)
    log = SingleItemLog(
        decisions.rewards,
        decisions.propensities,
        logged,
        predicted=None if model is None else model.predict_logged(decisions.actions),
        expected=None if model is None else expected,
    )
    unknown = decisions.logging is None
    # sums of many probabilities may exceed 1 by rounding
    return Judged(log, unlogged / rows, np.nan if unknown else impossible / rows, None if clusters is None else of_cluster)


def _checked(probabilities: np.ndarray, rows: np.ndarray, num_items: int) -> np.ndarray:
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.shape != (len(rows), num_items):
        raise DataError(f"a policy's probabilities must be [rows, items] = [{len(rows)}, {num_items}], not {list(probabilities.shape)}")
    sums = probabilities.sum(axis=1)
    wrong = ~(np.abs(sums - 1) < 1e-4) | (probabilities < 0).any(axis=1)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(f"a policy's probabilities must be at least 0 and sum to 1; in row {rows[place]} they sum to {sums[place]:g}")
    return probabilities


def _contexts(interactions: Interactions, columns: tuple[str, ...]) -> np.ndarray | None:
    """Columns of numbers, or of lists of numbers, or else the interactions' features, as one float64 array `[n, X]`."""
    frame = interactions.frame
    if not columns:
        if interactions.features is None:
            return None
        numbers = np.asarray(interactions.features.cpu().numpy(), dtype=np.float64)
    else:
        lists = [frame[name].to_list() if frame[name].dtype.is_nested() else frame[name].to_numpy() for name in columns]
        numbers = np.concatenate([np.asarray(one, dtype=np.float64).reshape(frame.height, -1) for one in lists], axis=1)
    if not np.isfinite(numbers).all():
        raise DataError(f"the context in row {int(np.argwhere(~np.isfinite(numbers))[0, 0])} is not a number")
    return numbers
