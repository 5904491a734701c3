"""What policies were asked: a row for each recommendation, with what the policy read, and what the request allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from recframe.feedback import tables
from recframe.feedback.frames import read_frame

ASKED: Mapping[str, Any] = {
    "recommendation": pl.String,
    "timestamp": pl.Float64,
    "session": pl.String,
    "user": pl.String,
    "policy": pl.String,
    "version": pl.String,
    "explored": pl.Boolean,
    "history": pl.String,
    "profile": pl.String,
    "context": pl.String,
    "k": pl.Int64,
    "exploration": pl.String,
    "candidates": pl.String,
    "exclude": pl.String,
    "must_include": pl.String,
    "at_most": pl.String,
}


def read_asked(connection: Connection, since: float | None, until: float | None) -> pl.DataFrame:
    """The recommendations between two moments, in the order of time; see `FeedbackStore.asked_frame`."""
    made = tables.recommendations.c
    columns = (
        *(made.recommendation, made.time, made.session, made.person, made.policy, made.version, made.explored),
        *(made.history, made.profile, made.context, *(made[name] for name in tables.ASKED_COLUMNS)),
    )
    query = select(*columns).order_by(made.time, made.recommendation)
    query = query if since is None else query.where(made.time >= since)
    query = query if until is None else query.where(made.time <= until)
    return read_frame(connection, query, ASKED)
