"""The store as a log: a row for each shown item, read in blocks, so that memory does not grow with the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection, and_, or_, select, true

from recframe.feedback import tables

RECOMMENDATIONS_AT_ONCE = 20_000

ROW: Mapping[str, Any] = {
    "recommendation": pl.String,
    "user": pl.String,
    "session": pl.String,
    "timestamp": pl.Float64,
    "item": pl.String,
    "position": pl.Int64,
    "propensity": pl.Float64,
    "explored": pl.Boolean,
    "policy": pl.String,
    "version": pl.String,
    "k": pl.Int64,
    "exploration": pl.String,
    "candidates": pl.String,
    "exclude": pl.String,
    "must_include": pl.String,
    "at_most": pl.String,
}
"""The columns of a log before those of signals."""


def log_schema(connection: Connection) -> dict[str, Any]:
    """The columns of the log: `ROW`, and a column of numbers for each signal of the store, in the order of their names."""
    names = connection.execute(select(tables.signals.c.name).order_by(tables.signals.c.name)).scalars()
    return {**ROW, **dict.fromkeys(names, pl.Float64)}


def log_blocks(
    connection: Connection, schema: Mapping[str, Any], since: float | None = None, until: float | None = None
) -> Iterator[pl.DataFrame]:
    """The log in blocks, in the order of time, of one state of the database if they are read in one transaction.

    since, until: unix seconds; decisions before the one, and decisions and feedback after the other, are left out.
    """
    made = tables.recommendations.c
    last: tuple[float, str] | None = None
    while True:
        after = and_(true() if since is None else made.time >= since, true() if until is None else made.time <= until)
        if last is not None:
            later = or_(made.time > last[0], and_(made.time == last[0], made.recommendation > last[1]))
            after = and_(later, true() if until is None else made.time <= until)
        page = select(made.time, made.recommendation).where(after).order_by(made.time, made.recommendation)
        keys = connection.execute(page.limit(RECOMMENDATIONS_AT_ONCE)).all()
        if not keys:
            return
        last = (keys[-1].time, keys[-1].recommendation)
        upto = or_(made.time < last[0], and_(made.time == last[0], made.recommendation <= last[1]))
        yield _block(connection, and_(after, upto), schema, until)
        if len(keys) < RECOMMENDATIONS_AT_ONCE:
            return


def _block(connection: Connection, within: Any, schema: Mapping[str, Any], until: float | None) -> pl.DataFrame:
    made, shown, came = tables.recommendations, tables.shown_items, tables.feedback
    columns = (
        *(made.c.recommendation, made.c.person, made.c.session, made.c.time),
        *(shown.c.item, shown.c.position, shown.c.propensity, made.c.explored, made.c.policy, made.c.version),
        *(made.c[name] for name in tables.ASKED_COLUMNS),
    )
    slates = select(*columns).join(shown, shown.c.recommendation == made.c.recommendation).where(within)
    slates = slates.order_by(made.c.time, made.c.recommendation, shown.c.position)
    rows = pl.DataFrame([tuple(row) for row in connection.execute(slates)], schema=dict(ROW), orient="row")
    reports = select(came.c.recommendation, came.c.item, came.c.signals).join(made, made.c.recommendation == came.c.recommendation)
    reports = reports.where(within, true() if until is None else came.c.time <= until).order_by(came.c.number)
    text = dict.fromkeys(("recommendation", "item", "signals"), pl.String)
    told = pl.DataFrame([tuple(row) for row in connection.execute(reports)], schema=text, orient="row")
    signals = [name for name in schema if name not in ROW]
    if told.is_empty() or not signals:
        return rows.with_columns(pl.lit(0.0).alias(name) for name in signals)
    values = pl.Struct(dict.fromkeys(signals, pl.Float64))
    last_values = (
        told.with_columns(pl.col("signals").str.json_decode(values))
        .unnest("signals")
        .group_by("recommendation", "item")
        .agg(pl.col(signals).drop_nulls().last())
    )
    joined = rows.join(last_values, on=["recommendation", "item"], how="left", maintain_order="left")
    return joined.with_columns(pl.col(signals).fill_null(0.0)).select(list(schema))
