"""A `Log` from a dataset's interactions: tensors in the order of the sequences, and the signals of each interaction."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch

from recframe.interfaces import DataError, Interactions, Log
from recframe.log_settings import LogSettings
from recframe.logs.ordering import OrderedRows, sequences_of

CLICK = "click"
DEFAULT_THRESHOLD = 1.0
"""The value from which on an interaction is a click, if `logs.click_at_least` does not say."""


def logged_signals(feedback: tuple[str, ...]) -> tuple[str, ...]:
    """The signals of a log with these feedback columns: `click`, and then the columns."""
    return (CLICK, *(name for name in feedback if name != CLICK))


def build_log(interactions: Interactions, num_users: int, num_items: int, settings: LogSettings) -> Log:
    """The interactions as a log on the CPU, in the order of `sequences_of`.

    Raises
    ------
    DataError: there are no interactions, a column that the settings name does not exist, or a row has no usable propensity.
    """
    return log_in_order(interactions, sequences_of(interactions, settings), num_users, num_items, settings)


def log_in_order(interactions: Interactions, order: OrderedRows, num_users: int, num_items: int, settings: LogSettings) -> Log:
    """The interactions as a log on the CPU, in this order.

    Raises
    ------
    DataError: a column that the settings name does not exist, or a row has no usable propensity.
    """
    rows, frame, features, choices = order.rows, interactions.frame, interactions.features, interactions.choices
    signals = logged_signals(interactions.feedback)
    # filled column by column, so that no second copy of the feedback exists
    feedback = torch.empty(len(rows), len(signals))
    feedback[:, 0] = torch.from_numpy(clicks_of(interactions, settings)[rows])
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
        propensities=_propensities(interactions, rows) if "propensity" in frame.columns else None,
        features=None if features is None else features[torch.from_numpy(rows)],
        choices=None if choices is None else choices.rows(torch.from_numpy(rows)),
    )


def clicks_of(interactions: Interactions, settings: LogSettings) -> np.ndarray:
    """Which interactions are clicks, `[R]` float32 in the order of the data."""
    frame, feedback, column = interactions.frame, interactions.feedback, settings.click_column
    source, known = interactions.source or "the log", ", ".join(feedback) or "none"
    if column is None and CLICK not in feedback:
        if settings.click_at_least is not None:
            raise DataError(
                f"logs.click_at_least={settings.click_at_least:g} is of no column: {source} has no feedback {CLICK!r}, and "
                f"logs.click_column is null; name a feedback column with logs.click_column (it has: {known}), or set logs.click_at_least "
                "to null"
            )
        return np.ones(frame.height, dtype=np.float32)
    column = column or CLICK
    if column not in feedback:
        raise DataError(f"logs.click_column: {source} has no feedback {column!r}; it has: {known}")
    known_values = frame[column].fill_nan(None).fill_null(-np.inf)
    clicked: np.ndarray = (known_values.to_numpy() >= click_threshold(settings)).astype(np.float32)
    return clicked


def described_click(interactions: Interactions, settings: LogSettings) -> str:
    """What a click is in this log, and how large the largest value of its column is, for messages."""
    column = settings.click_column or CLICK
    if column not in interactions.feedback:
        return "every interaction is a click"
    largest: Any = interactions.frame[column].fill_nan(None).max()
    found = "no value of it is known" if largest is None else f"its largest value is {largest:g}"
    return f"a click is a {column} of {click_threshold(settings):g} or more, and {found}; see logs.click_column and logs.click_at_least"


def click_threshold(settings: LogSettings) -> float:
    """The value of the column of clicks from which on an interaction is a click."""
    return DEFAULT_THRESHOLD if settings.click_at_least is None else settings.click_at_least


def _propensities(interactions: Interactions, rows: np.ndarray) -> torch.Tensor:
    """The propensities in the order of the rows, `[R]` float32."""
    column = interactions.frame["propensity"].cast(pl.Float64).fill_nan(None)
    wrong = ~column.is_between(0.0, 1.0, closed="right").fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        value = "unknown" if column[row] is None else f"{column[row]:g}"
        raise DataError(
            f"{interactions.source or 'the log'}: the propensity in row {row} (from 0, in order of time) is {value}; every row needs the "
            "probability with which its item was shown, more than 0 and at most 1 (leave such rows out, or the column)"
        )
    return _floats(column, rows)


def _integers(column: pl.Series, rows: np.ndarray) -> torch.Tensor:
    """The column's values in the order of the rows, `[R]` int64."""
    return torch.from_numpy(column.to_numpy()[rows].astype(np.int64, copy=False))


def _floats(column: pl.Series, rows: np.ndarray) -> torch.Tensor:
    """The column's values in the order of the rows, `[R]` float32; 0 where they are not known."""
    return torch.from_numpy(column.to_numpy()[rows].astype(np.float32, copy=False)).nan_to_num_(nan=0.0)
