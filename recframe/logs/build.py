"""A `Log` from a dataset's interactions: sequences in order of time, and the signals of each interaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
import torch

from recframe.interfaces import DataError, Interactions, Log

CLICK = "click"


@dataclass(frozen=True)
class LogSettings:
    """How interactions are read.

    click_column: the feedback column that says which interactions are clicks; None: a column `click`, or else every interaction is one.
    click_at_least: the value of that column from which on an interaction is a click.
    sequence: "user", "session", or "auto": sessions where the data has them, and else users.
    session_gap: seconds; where a user was away for longer, a new session begins. These sessions take the place of the data's. None: the
        sessions are the data's.
    """

    click_column: str | None = None
    click_at_least: float = 1.0
    sequence: str = "auto"
    session_gap: float | None = None


def logged_signals(feedback: tuple[str, ...]) -> tuple[str, ...]:
    """The signals of a log with these feedback columns: `click`, and then the columns."""
    return (CLICK, *(name for name in feedback if name != CLICK))


class Sequences(NamedTuple):
    """Interactions in order: `rows`, the frame sorted by sequence and time, with each row's place in the data as `row`.

    offsets: `[S + 1]` int64: the rows of sequence s are `offsets[s]` to before `offsets[s + 1]`.
    """

    rows: pl.DataFrame
    offsets: np.ndarray


def sequences_of(interactions: Interactions, settings: LogSettings) -> Sequences:
    """The interactions sorted by sequence and time; those of the same second stay in the order of their rows.

    Raises
    ------
    DataError: there are no interactions, or no sessions where the settings ask for them, or the settings contradict each other.
    """
    if interactions.frame.is_empty():
        raise DataError(f"{interactions.source or 'the log'}: holds no interaction")
    rows = interactions.frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    by_session = _by_session(interactions, settings)
    if by_session and settings.session_gap is None:
        keys = ["user", "session"]
        # a user's sessions follow each other in time
        rows = rows.with_columns(pl.col("timestamp").min().over("session").alias("_began"))
        rows = rows.sort("user", "_began", "session", "timestamp", "row").drop("_began")
    else:
        keys = ["user"]
        rows = rows.sort("user", "timestamp", "row")
    # where the values of the keys change, a sequence begins
    changes = np.zeros(rows.height, dtype=bool)
    for key in keys:
        values = rows[key].to_numpy()
        changes[1:] |= values[1:] != values[:-1]
    if by_session and settings.session_gap is not None:
        changes[1:] |= np.diff(rows["timestamp"].to_numpy()) > settings.session_gap
    return Sequences(rows, np.concatenate([[0], np.flatnonzero(changes), [rows.height]]).astype(np.int64))


def build_log(interactions: Interactions, num_users: int, num_items: int, settings: LogSettings) -> Log:
    """The interactions as a log on the CPU, in the order of `sequences_of`.

    Raises
    ------
    DataError: there are no interactions, or a column that the settings name does not exist.
    """
    rows, offsets = sequences_of(interactions, settings)
    feedback = interactions.feedback
    clicks = _clicks(rows, feedback, settings)
    columns = [clicks, *(rows[name].cast(pl.Float32).to_numpy() for name in feedback if name != CLICK)]
    features = interactions.features
    return Log(
        users=_tensor(rows["user"]),
        items=_tensor(rows["item"]),
        timestamps=_tensor(rows["timestamp"]),
        signals=logged_signals(feedback),
        feedback=torch.from_numpy(np.nan_to_num(np.stack(columns, axis=1).astype(np.float32), nan=0.0)),
        offsets=torch.from_numpy(offsets),
        num_items=num_items,
        num_users=num_users,
        propensities=torch.tensor(rows["propensity"].to_numpy(), dtype=torch.float32) if "propensity" in rows.columns else None,
        features=None if features is None else features[_tensor(rows["row"])],
    )


def _by_session(interactions: Interactions, settings: LogSettings) -> bool:
    if settings.session_gap is not None and settings.sequence == "user":
        raise DataError("logs.session_gap begins sessions, but logs.sequence is user; use logs.sequence=session, or logs.session_gap=null")
    has_sessions = "session" in interactions.frame.columns or settings.session_gap is not None
    if settings.sequence == "session" and not has_sessions:
        raise DataError(
            f"logs.sequence is session, but {interactions.source or 'the log'} has no sessions; "
            "use logs.sequence=user, or logs.session_gap=1800 to begin a new one after half an hour"
        )
    return has_sessions and settings.sequence != "user"


def _clicks(rows: pl.DataFrame, feedback: tuple[str, ...], settings: LogSettings) -> np.ndarray:
    """Which rows are clicks, `[R]` float32."""
    column = settings.click_column
    if column is None and CLICK not in feedback:
        return np.ones(rows.height, dtype=np.float32)
    column = column or CLICK
    if column not in feedback:
        raise DataError(f"logs.click_column: the log has no feedback {column!r}; it has {', '.join(feedback) or 'none'}")
    clicked: np.ndarray = (rows[column].fill_nan(None).fill_null(-np.inf).to_numpy() >= settings.click_at_least).astype(np.float32)
    return clicked


def _tensor(column: pl.Series) -> torch.Tensor:
    return torch.tensor(column.to_numpy(), dtype=torch.int64)
