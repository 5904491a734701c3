"""What looks suspicious in data: each doubt with its count, what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from recframe.data_profile.interactions import Activity, Feedback, TimeSpan
from recframe.data_profile.texts import TextCoverage
from recframe.interfaces import Data

EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""Times before it are older than any log of a recommender."""
LARGE_USER = 0.05
LARGE_ITEM = 0.2
SAME_VALUE = 0.95
MANY_AT_ONCE = 0.1
LONG_TEXT = 2_000
ID_TITLES = 0.05
MARKUP = r"</?[a-zA-Z][a-zA-Z0-9]*[^<>]*>|&[a-zA-Z]{2,8};|&#[0-9]{1,6};"
MOJIBAKE = "\u00c3[\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u009d]|\u00c2[\u0080-\u00bf]|\ufffd"
"""UTF-8 that was read as latin-1 or cp1252, or a character that was lost."""
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]"
ID_LIKE = r"^(?:[0-9]+|[A-Z0-9]{8,}|[0-9a-f]{16,}|[A-Za-z]{0,10}[-_:]?[0-9]{3,})$"
LEGAL_TITLE = r"^[12][0-9]{3}$"
"""Numbers that are titles of real films and books, such as 1984 or 2012."""


@dataclass(frozen=True)
class Doubt:
    """Something suspicious.

    what: in a few words.   count, total: how many of how many, of `unit`.   meaning: why it matters.   remedy: what to do.
    """

    what: str
    count: int
    total: int
    unit: str
    meaning: str
    remedy: str

    @property
    def share(self) -> float:
        """The count as a share of the total."""
        return self.count / max(self.total, 1)


def doubts_about(
    data: Data,
    frame: pl.DataFrame | None,
    signals: tuple[str, ...],
    users: Activity | None,
    items: Activity | None,
    time: TimeSpan | None,
    feedback: tuple[Feedback, ...],
    texts: dict[str, TextCoverage],
    now: datetime,
) -> Iterator[Doubt]:
    """Everything suspicious, in a fixed order. The parameters are those of a profile (`profile.DataProfile`)."""
    if frame is not None and users is not None and items is not None:
        yield from about_activity(users, items, frame.height)
        yield from about_rows(frame, signals)
        if time is not None:
            yield from about_times(frame, time, now)
        yield from about_propensities(frame)
    for signal in feedback:
        yield from about_feedback(signal)
    yield from about_texts(data, texts)


def about_activity(users: Activity, items: Activity, rows: int) -> Iterator[Doubt]:
    """Users and items with too few interactions, or too many."""
    if users.total > 1 and users.once == users.total:
        alone = "there is no history to learn from, as in a log of independent decisions"
        yield Doubt(
            "every user has one interaction", users.once, users.total, "users", alone, "give the column of users, or estimate off-policy"
        )
    else:
        once = "they have nothing left to learn from when their last interaction is held out"
        yield from some("users with a single interaction", users.once, users.total, "users", once, "a k-core leaves them out")
    rare = "nothing is learned about them but their text"
    yield from some("items with a single interaction", items.once, items.total, "items", rare, "use their texts, or a k-core")
    met = "only their text says anything about them, and popularity never recommends them"
    yield from some("items that nobody met", items.without, items.total, "items", met, "keep them if they can be recommended, or a k-core")
    idle = "they have a row but no interaction"
    yield from some("users without an interaction", users.without, users.total, "users", idle, "leave them out, unless they are cold users")
    if users.total > 20 and users.top > LARGE_USER * rows:
        robot = "a robot, a test account, or a default id such as 0 or -1; it dominates what is learned"
        yield Doubt("one user has many interactions", users.top, rows, "interactions", robot, "look at this user, and leave it out")
    if items.total > 20 and items.top > LARGE_ITEM * rows:
        shown = "it may be shown to everybody, or be a default id; recommending it alone looks good"
        yield Doubt("one item has many interactions", items.top, rows, "interactions", shown, "look at this item, and compare with popular")


def about_rows(frame: pl.DataFrame, signals: tuple[str, ...]) -> Iterator[Doubt]:
    """Rows that are there twice."""
    key = ["user", "item", *(["timestamp"] if "timestamp" in frame.columns else []), *signals]
    repeated = frame.height - frame.select(pl.struct(key).n_unique()).item()
    twice = "they count double, and one of a pair can be in training and the other held out"
    yield from some("rows that are there twice", repeated, frame.height, "interactions", twice, "leave the copies out")


def about_times(frame: pl.DataFrame, time: TimeSpan, now: datetime) -> Iterator[Doubt]:
    """Times that say nothing, or that cannot be."""
    rows, unit = frame.height, "interactions"
    if time.distinct == 1 and rows > 1:
        yield Doubt("all times are equal", rows, rows, unit, "no order in time", "split by users instead of time, or give the right column")
        return
    backwards = frame.select(((pl.col("timestamp").diff() < 0).over("user")).sum()).item()
    order = "the rows are not in the order of their times; time counts, not the rows"
    yield from some("times that go backwards for a user", backwards, rows, unit, order, "check the column and the unit of time")
    future = int((frame["timestamp"] > int(now.timestamp())).sum())
    unit_of_time = "a wrong unit (milliseconds as seconds), or wrong clocks"
    yield from some("times in the future", future, rows, unit, unit_of_time, "set the unit of time, or leave these rows out")
    early = int((frame["timestamp"] < EARLIEST).sum())
    epoch = "a wrong unit, row numbers in place of times, or 0 for a time that is missing"
    yield from some("times before 1990", early, rows, unit, epoch, "set the unit or the column of time, or leave these rows out")
    if time.same > MANY_AT_ONCE * rows:
        at_once = "the order in which they happened is lost; who holds out the last one holds out any of them"
        remedy = "split at a moment, or treat what is simultaneous as one visit"
        yield Doubt("interactions in the same second as another of the user", time.same, rows, unit, at_once, remedy)
    if time.whole_days:
        yield Doubt("times are days", rows, rows, unit, "the order within a day is lost", "split at a moment, at the turn of a day")


def about_propensities(frame: pl.DataFrame) -> Iterator[Doubt]:
    """Propensities that are no probabilities."""
    if "propensity" not in frame.columns:
        return
    values = frame["propensity"].cast(pl.Float64).fill_nan(None)
    rows, unit = frame.height, "interactions"
    weight = "importance weights are infinite or undefined"
    none = int(((values <= 0) | values.is_null()).sum())
    yield from some("propensities of 0, or missing ones", none, rows, unit, weight, "leave these rows out of off-policy estimates")
    above = int((values > 1).sum())
    yield from some("propensities above 1", above, rows, unit, "they are no probabilities", "give the right column")


def about_feedback(signal: Feedback) -> Iterator[Doubt]:
    """Feedback that says nothing, or is not there."""
    name, rows, unit = signal.name, signal.known + signal.missing, "interactions"
    gone = "these rows say that somebody met the item, and not how it was liked"
    yield from some(f"{name} is missing", signal.missing, rows, unit, gone, "use another signal for them, or leave them out")
    if signal.known > 1 and signal.distinct == 1:
        same = "nothing can be learned from its value; only who met what counts"
        yield Doubt(f"{name} is always the same", signal.known, rows, unit, same, "learn from occurrence, or give another column")
    elif signal.known > 1 and signal.most_common > SAME_VALUE:
        most = round(signal.most_common * signal.known)
        rare = "who always predicts it is almost always right"
        yield Doubt(
            f"{name} has one value almost always", most, rows, unit, rare, "compare with that constant; look at ranking, not accuracy"
        )


def about_texts(data: Data, texts: dict[str, TextCoverage]) -> Iterator[Doubt]:
    """Texts that are missing, or the same."""
    for role, coverage in texts.items():
        named = role in ("items", "users")
        without = coverage.total - coverage.with_text
        blind = "an encoder reads an id, or nothing" if named else "an encoder reads nothing"
        remedy = f"give a table of {role} and a template with its columns" if named else "leave the text out"
        yield from some(f"{role} without a text", without, coverage.total, role, blind, remedy)
        if role != "interactions":
            alike = "an encoder cannot tell them apart"
            yield from some(f"{role} with a text that others have, too", coverage.repeated, coverage.total, role, alike, "add columns")
    yield from about_titles(pl.Series("title", list(map(str, data.catalog.titles))), pl.Series("id", data.catalog.ids, dtype=pl.String))
    yield from about_letters(pl.Series("text", data.catalog.texts, dtype=pl.String))


def about_titles(titles: pl.Series, ids: pl.Series) -> Iterator[Doubt]:
    """Titles that are no names. Some real titles are numbers, so a few are no doubt."""
    titles = titles.str.strip_chars()
    total, unit = len(titles), "items"
    real = (titles != ids) & (titles != "")
    codes = int((real & titles.str.contains(ID_LIKE) & ~titles.str.contains(LEGAL_TITLE)).sum())
    if codes > ID_TITLES * total:
        yield Doubt("titles that look like ids", codes, total, unit, "a column of codes in place of names", "give the column of names")
    copies = int(titles.filter(real).is_duplicated().sum())
    merge = "merge them, or tell them apart in the text"
    yield from some("items with the title of another item", copies, total, unit, "versions of one thing, or copies", merge)


def about_letters(texts: pl.Series) -> Iterator[Doubt]:
    """Texts with markup, with letters that were read wrongly, or that are very long."""
    wrong = (
        ("markup", MARKUP, "an encoder reads tags and entities as words", "remove it before loading"),
        ("broken letters", MOJIBAKE, "the file was read in another encoding than it was written in", "set dataset.encoding"),
        ("control characters", CONTROL, "invisible characters, which terminals and browsers may act on", "remove them before loading"),
    )
    for what, pattern, meaning, remedy in wrong:
        yield from some(f"item texts with {what}", int(texts.str.contains(pattern).sum()), len(texts), "items", meaning, remedy)
    long = int((texts.str.len_chars() > LONG_TEXT).sum())
    cut = f"encoders cut texts, and these have more than {LONG_TEXT:,} characters"
    yield from some("very long item texts", long, len(texts), "items", cut, "put what matters first")


def some(what: str, count: int, total: int, unit: str, meaning: str, remedy: str) -> Iterator[Doubt]:
    """A doubt, if there is anything to doubt."""
    if count:
        yield Doubt(what, count, total, unit, meaning, remedy)
