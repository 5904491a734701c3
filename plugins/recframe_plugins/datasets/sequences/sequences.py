"""The dataset sequences: each line of a file is a user and their items in order."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from recframe.interfaces import Data, DataError, Dataset
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, MalformedRows, judge, part_rows
from recframe_plugins.datasets.files.separators import separator_name
from recframe_plugins.datasets.files.sources import content_of, require_file
from recframe_plugins.datasets.files.tables import separator_given
from recframe_plugins.datasets.files.text_lines import NumberedLines, numbered_lines
from recframe_plugins.datasets.interaction_logs.build import LogParts, build_data
from recframe_plugins.datasets.interaction_logs.item_and_user_files import read_item_file
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of
from recframe_plugins.datasets.sequences.config import SequencesConfig

__all__ = ["SequenceLines"]

logger = logging.getLogger(__name__)


class SequenceLines(Dataset):
    """Users, and their items in order; `timestamp` is the place in the line, from 0."""

    def __init__(self, config: SequencesConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read, check and number everything.

        Raises
        ------
        DataError: something is missing, or lines are malformed; the message names the files and lines, or the setting.
        """
        config = self.config
        pseudonyms = pseudonyms_of(config)
        reports: list[MalformedRows] = []
        items = read_item_file(config, config, reports, "auto")
        path = Path(config.interactions).expanduser()
        require_file(path, "dataset.interactions")
        lines = numbered_lines(path, content_of(path), config.encoding)
        rows, malformed = read_sequences(path, lines, config.separator, hide=config.pseudonymise)
        judge([*reports, malformed], config.malformed)
        return build_data(LogParts(path, rows, [], items, pseudonyms=pseudonyms), config.text_template)


def separators_of(path: Path, lines: NumberedLines, given: str) -> tuple[str, str]:
    """The separator after a user's id, and that between the items."""
    if given != "auto":
        return (separator_given(given),) * 2
    head = [line for _, line in lines.head(50)]
    if not head:
        raise DataError(f"{path}: is empty, expected a line for each user: their id, then items in order")
    for first, others in (("\t", ",;| "), (":", " ,;|")):
        rest = [line.partition(first)[2].strip() for line in head]
        between = next((one for one in others if any(one in line for line in rest)), None)
        if between is not None and all(line.count(first) == 1 for line in head):
            return first, between
    lines_with = {one: sum(one in line for line in head) for one in "\t,;| "}
    best = max(lines_with, key=lambda one: lines_with[one])
    if not lines_with[best]:
        where = f"{path}:{lines.first_number}"
        raise DataError(f"{where}: has one field, expected a user's id, then items in order, between blanks, tabs or commas")
    return best, best


def read_sequences(path: Path, lines: NumberedLines, separator: str, *, hide: bool) -> tuple[pl.DataFrame, MalformedRows]:
    """The interactions: `line`, `user`, `item`, `timestamp` (the place in the line, from 0); and lines that cannot be used.

    hide: whether messages must not show ids of users.
    """
    first, between = separators_of(path, lines, separator)
    said = separator_name(first) + ("" if first == between else f" after the user, {separator_name(between)}")
    logger.info("%s: %s between the items", path, said)
    text = pl.col("text").str.strip_chars()
    parts = text.str.splitn(first, 2)
    block = pl.concat(
        block.select(
            "line",
            user=parts.struct.field("field_0").str.strip_chars(),
            items=parts.struct.field("field_1").fill_null("").str.strip_chars(),
        )
        for block in lines.blocks()
    )
    user = pl.lit("the user") if hide else pl.format("user '{}'", "user")
    pairs = ", as in a table with a row for each interaction (dataset=table reads those)"
    single = pl.col("items").str.count_matches(between, literal=True) == 0
    rows = block.with_columns(first=pl.col("line").first().over("user"), hint=pl.when(single).then(pl.lit(pairs)).otherwise(pl.lit("")))
    good, bad = part_rows(
        rows,
        [
            Check(
                "undecodable bytes",
                pl.col("line").is_in(lines.undecodable),
                pl.lit("bytes that are not UTF-8, expected UTF-8 (or dataset.encoding=latin-1)"),
            ),
            Check("empty id", pl.col("user") == "", pl.lit("empty user id, expected one such as '1'")),
            Check(
                "duplicate user",
                pl.col("line") != pl.col("first"),
                pl.format("{} is already on line {}{}; expected one line for each user", user, "first", "hint"),
            ),
        ],
    )
    without = int(good.select((pl.col("items") == "").sum()).item())
    if without:
        logger.warning("%s: %d user(s) have no item and are left out", path, without)
    items = pl.col("items").str.replace_all(r"\s+", " ") if between == " " else pl.col("items")
    split = good.filter(pl.col("items") != "").select("line", "user", item=items.str.split(between))
    numbered = split.with_columns(timestamp=pl.int_ranges(pl.col("item").list.len(), dtype=pl.Int64)).explode("item", "timestamp")
    usable, empty = part_rows(
        numbered.with_columns(pl.col("item").str.strip_chars()),
        [
            Check(
                "empty item",
                pl.col("item") == "",
                pl.format("place {} after the user is empty, expected an item", pl.col("timestamp") + 1),
            )
        ],
    )
    logger.warning("%s: has no times; the place in a line stands for the time", path)
    return usable, MalformedRows(path, pl.concat([EMPTY_REPORT, bad, empty]).sort("line"))
