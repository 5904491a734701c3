"""A `Log` from a dataset's interactions: tensors in the order of the sequences, and the signals of each interaction."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from recframe.interfaces import DataError, Interactions, Log
from recframe.log_settings import LogSettings
from recframe.logs.ordering import OrderedRows, sequences_of

CLICK = "click"


def logged_signals(feedback: tuple[str, ...]) -> tuple[str, ...]:
    """The signals of a log with these feedback columns: `click`, and then the columns."""
    return (CLICK, *(name for name in feedback if name != CLICK))


def build_log(interactions: Interactions, num_users: int, num_items: int, settings: LogSettings) -> Log:
    """The interactions as a log on the CPU, in the order of `sequences_of`.

    Raises
    ------
    DataError: there are no interactions, or a column that the settings name does not exist.
    """
    return log_in_order(interactions, sequences_of(interactions, settings), num_users, num_items, settings)


def log_in_order(interactions: Interactions, order: OrderedRows, num_users: int, num_items: int, settings: LogSettings) -> Log:
    """The interactions as a log on the CPU, in this order.

    Raises
    ------
    DataError: a column that the settings name does not exist.
    """
    rows, frame, features = order.rows, interactions.frame, interactions.features
    signals = logged_signals(interactions.feedback)
    # filled column by column, so that no second copy of the feedback exists
    feedback = torch.empty(len(rows), len(signals))
    feedback[:, 0] = torch.from_numpy(_clicks(interactions, settings)[rows])
    for place, name in enumerate(signals[1:], start=1):
        feedback[:, place] = _floats(frame[name], rows)
    return Log(
        users=_integers(frame["user"], rows),
        items=_integers(frame["item"], rows),
        timestamps=_integers(frame["timestamp"], rows),
        signals=signals,
        feedback=feedback,
        offsets=torch.from_numpy(order.offsets),
        num_items=num_items,
        num_users=num_users,
        propensities=_floats(frame["propensity"], rows) if "propensity" in frame.columns else None,
        features=None if features is None else features[torch.from_numpy(rows)],
    )


def _clicks(interactions: Interactions, settings: LogSettings) -> np.ndarray:
    """Which interactions are clicks, `[R]` float32 in the order of the data."""
    frame, feedback, column = interactions.frame, interactions.feedback, settings.click_column
    if column is None and CLICK not in feedback:
        return np.ones(frame.height, dtype=np.float32)
    column = column or CLICK
    if column not in feedback:
        raise DataError(f"logs.click_column: the log has no feedback {column!r}; it has {', '.join(feedback) or 'none'}")
    clicked: np.ndarray = (frame[column].fill_nan(None).fill_null(-np.inf).to_numpy() >= settings.click_at_least).astype(np.float32)
    return clicked


def _integers(column: pl.Series, rows: np.ndarray) -> torch.Tensor:
    """The column's values in the order of the rows, `[R]` int64."""
    return torch.from_numpy(column.to_numpy()[rows].astype(np.int64, copy=False))


def _floats(column: pl.Series, rows: np.ndarray) -> torch.Tensor:
    """The column's values in the order of the rows, `[R]` float32; 0 where they are not known."""
    return torch.from_numpy(column.to_numpy()[rows].astype(np.float32, copy=False)).nan_to_num_(nan=0.0)
