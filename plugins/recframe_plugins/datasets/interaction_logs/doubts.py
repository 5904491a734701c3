"""Says what is doubtful in a log that can be read, each with a count."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recframe_plugins.datasets.interaction_logs.values import MISSING

__all__ = ["report_doubtful_ids", "report_doubts"]

logger = logging.getLogger(__name__)

# 1973 and 2100: other times are more often mistakes than times
EARLY, LATE = 10**8, 4_102_444_800
SCIENTIFIC = r"^[+-]?[0-9](?:\.[0-9]+)?[eE]\+?[0-9]+$"


def report_doubtful_ids(path: Path, ids: pl.Series, kind: str) -> None:
    """Warn of ids that stand for missing ones, or that a spreadsheet has changed. kind: "user" or "item"; ids of users are not shown."""
    missing = int(ids.str.to_lowercase().is_in(list(MISSING)).sum())
    if missing:
        logger.warning("%s: %d %s id(s) read like a missing value (null, nan, none); they are taken as ids", path, missing, kind)
    scientific = int(ids.str.contains(SCIENTIFIC).sum())
    if scientific:
        logger.warning(
            "%s: %d %s id(s) are in scientific notation, as spreadsheets write long numbers: different ids may have become one",
            path,
            scientific,
            kind,
        )


def report_doubts(path: Path, rows: pl.DataFrame, signals: Sequence[str]) -> None:
    """Warn of what is doubtful in usable rows, in file order, with `user` and `item` as numbers."""
    checks = rows.select(
        users=pl.col("user").n_unique(),
        items=pl.col("item").n_unique(),
        early=(pl.col("timestamp") < EARLY).sum(),
        late=(pl.col("timestamp") > LATE).sum(),
        back=(pl.col("timestamp") < pl.col("timestamp").shift(1).over("user")).sum(),
    ).row(0, named=True)
    for kind in ("user", "item"):
        if checks[f"{kind}s"] == 1:
            logger.warning("%s: all %d row(s) are of 1 %s; nothing can be learned from one", path, len(rows), kind)
    # where most times are small, they are no unix times, which was said before
    if 0 < checks["early"] < len(rows) / 2:
        logger.warning("%s: %d time(s) are before March 1973; are they missing ones?", path, checks["early"])
    if checks["late"]:
        logger.warning("%s: %d time(s) are after the year 2100; is dataset.time_unit right?", path, checks["late"])
    if checks["back"]:
        logger.warning("%s: %d row(s) are earlier than the row before of the same user; rows are ordered by time", path, checks["back"])
    # only rows of a pair that occurs twice can be repeated entirely: comparing all columns of all rows takes several times their memory
    pair = (pl.col("user") * (pl.col("item").max() + 1) + pl.col("item")).alias("pair")
    again = rows.filter(pair.is_duplicated())
    same = [name for name in rows.columns if name != "line"]
    repeated = len(again) - again.select(same).n_unique() if len(again) else 0
    # where there are propensities, each row is a decision, and none may be left out
    decisions = "propensity" in rows.columns
    if repeated:
        instead = "" if decisions else " (dataset.repeats=last keeps one)"
        logger.warning("%s: %d row(s) repeat another row entirely; they are kept%s", path, repeated, instead)
    pairs = len(again) - again.select(pair).n_unique() if len(again) else 0
    if pairs > repeated and not decisions:
        logger.info("%s: %d row(s) repeat a user's interaction with an item (dataset.repeats=last keeps the last)", path, pairs)
    for name in signals:
        missing = int(rows[name].is_nan().sum())
        if missing == len(rows):
            logger.warning("%s: %s is missing in all %d row(s)", path, name, missing)
        elif missing:
            logger.warning("%s: %s is missing in %d of %d row(s), and NaN there", path, name, missing, len(rows))
        elif len(rows) > 1 and rows[name].n_unique() == 1:
            logger.warning("%s: %s is %g in all %d row(s), and says nothing", path, name, rows[name][0], len(rows))
