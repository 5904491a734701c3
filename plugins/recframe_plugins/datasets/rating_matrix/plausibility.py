"""Recognises files that hold numbers but no matrix of ratings: long tables, headers of numbers, and values for "not rated"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recframe.interfaces import DataError
from recframe_plugins.datasets.rating_matrix.matrix import Matrix

__all__ = ["check_plausible", "refuse_long_table", "require_informative"]

# Smaller files are too small to tell.
FEWEST_ROWS, FEWEST_COLUMNS, FEWEST_CELLS = 6, 4, 12
# user, item, rating, time, and a few more columns
MOST_COLUMNS_OF_A_TABLE = 8
UNIX_SECONDS = (1e8, 1e10)
UNIX_MILLISECONDS = (1e11, 1e13)
BLOCK_ROWS = 4096

LONG_TABLE = (
    "this is a table with a row for each rating, not a matrix with a row for each user; dataset=movielens_format reads such tables "
    "(ratings.csv with the header userId,movieId,rating,timestamp, and movies.csv)"
)
OVERRIDE = "if it is a matrix of ratings all the same, set dataset.plausibility=ignore"
ITEM_HEADINGS = {"item", "itemid", "movie", "movieid", "product", "productid"}
RATING_HEADINGS = {"rating", "score", "stars"}


def refuse_long_table(place: str, names: Sequence[str]) -> None:
    """Refuse a header that names an item and a rating. `place`: of the header, for the message.

    Raises
    ------
    DataError: it does.
    """
    known = {name.lower().replace("_", "").replace(" ", "") for name in names}
    if known & ITEM_HEADINGS and known & RATING_HEADINGS:
        raise DataError(f"{place}: the columns are {', '.join(names)}: {LONG_TABLE}")


def check_plausible(path: Path, matrix: Matrix) -> None:
    """Refuse values that are finite numbers, but hardly ratings of every item by every user.

    Raises
    ------
    DataError: one line with the file, what was seen, what it probably is, what reads it, and how to read it as a matrix in any case.
    """
    for seen in suspicions(matrix):
        raise DataError(f"{path}: {seen}; {OVERRIDE}")


def require_informative(path: Path, matrix: Matrix) -> None:
    """Refuse a matrix in which all known ratings are equal: no policy could be better than another.

    Raises
    ------
    DataError: they are, or there is none.
    """
    known = matrix.values[~np.isnan(matrix.values)]
    if not known.size:
        raise DataError(f"{path}: holds no rating; every cell is missing")
    if known.min() == known.max():
        raise DataError(
            f"{path}: every rating is {known[0]:g}, so nothing says which items are better; expected ratings that differ, "
            "such as stars, or 1 for a click and 0 for none"
        )


def suspicions(matrix: Matrix) -> Iterator[str]:
    """What is implausible in a matrix, most telling first."""
    values = matrix.values
    if matrix.users is None and 3 <= values.shape[1] <= MOST_COLUMNS_OF_A_TABLE and len(values) >= FEWEST_ROWS:
        yield from long_table(values)
    if matrix.items is None:
        yield from header_of_numbers(values)
    if matrix.users is None:
        yield from numbered_rows(values)
    if values.size >= FEWEST_CELLS:
        yield from not_rated(values)


def long_table(values: NDArray[np.float32]) -> Iterator[str]:
    """Columns of times or of ids, in a file with few columns."""
    columns = values.T.astype(np.float64)
    for number, column in enumerate(columns, 1):
        others = float(np.abs(np.delete(columns, number - 1, axis=0)).max())
        for (low, high), unit in ((UNIX_SECONDS, "seconds"), (UNIX_MILLISECONDS, "milliseconds")):
            if low <= column.min() and column.max() <= high and others < low and whole(column):
                yield f"column {number} of {len(columns)} looks like a time (unix {unit}): {LONG_TABLE}"
        rises = bool((np.diff(column) >= 0).all()) and 2 * len(np.unique(column)) > len(column)
        if number > 1 and rises and whole(column) and column.max() > 2 * others:
            yield f"column {number} of {len(columns)} rises from row to row like a time: {LONG_TABLE}"
    users, items, ratings = columns[:3]
    repeated = len(np.unique(users)) < len(users)
    # users may rate an item again
    pairs = 2 * len(np.unique(columns[:2], axis=1).T) > len(users)
    ids = whole(users) and whole(items) and min(users.min(), items.min()) >= 0
    if ids and repeated and pairs and max(users.max(), items.max()) > 2 * np.abs(ratings).max():
        yield (
            f"columns 1 and 2 of {len(columns)} look like ids of users and items (whole numbers up to {users.max():.0f} and "
            f"{items.max():.0f}, most pairs once): {LONG_TABLE}"
        )


def header_of_numbers(values: NDArray[np.float32]) -> Iterator[str]:
    """A first row that numbers the columns, or holds ids far above all ratings."""
    first, rest = values[0].astype(np.float64), values[1:]
    if len(first) < FEWEST_COLUMNS or not whole(first) or not (np.diff(first) > 0).all():
        return
    counts = bool((np.diff(first) == 1).all()) and first[0] in (0, 1)
    if counts or first[0] > rest.max():
        yield (
            f"the first row ({shown(first)}) looks like a header with the numbers of the items, not like a user's ratings; "
            "remove it, or give the items names that are not numbers"
        )


def numbered_rows(values: NDArray[np.float32]) -> Iterator[str]:
    """A first column that numbers the rows."""
    first = values[:, 0].astype(np.float64)
    if values.shape[1] > 1 and len(first) >= FEWEST_ROWS and (np.diff(first) == 1).all() and first[0] in (0, 1):
        yield (
            f"column 1 numbers the rows ({shown(first)}), so it looks like ids of users, not like ratings; remove it, or put a header "
            "above that begins with user"
        )


def not_rated(values: NDArray[np.float32]) -> Iterator[str]:
    """A value that stands apart from all others: the code of a file for "not rated"."""
    values = values[~np.isnan(values)]
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    for code in (high, low):
        count, rest_low, rest_high = rest_of(values, code)
        if rest_low >= rest_high:
            # at most two values: clicks, not ratings and a code
            continue
        gap = max(rest_low - code, code - rest_high)
        share = count / values.size
        # 0 for most cells, or a negative number where all others are positive
        mostly = share > 0.5 and code == low and (code < 0 <= rest_low or (code == 0 and rest_low > 0))
        if mostly or (count > 1 and gap > rest_high - rest_low):
            yield (
                f"{code:g} is in {share:.0%} of the cells, apart from all other values ({rest_low:g} to {rest_high:g}): it looks like a "
                f"code for 'not rated'; dataset.missing=keep dataset.missing_value={code:g} reads it as that, and dataset=movielens_format "
                "reads ratings of which most are unknown, from a table with a row for each rating"
            )


def rest_of(values: NDArray[np.float32], code: float) -> tuple[int, float, float]:
    """The number of cells that hold `code`, and the lowest and highest of the other values; block by block, to save memory."""
    count, low, high = 0, np.inf, -np.inf
    for begin in range(0, len(values), BLOCK_ROWS):
        block = values[begin : begin + BLOCK_ROWS]
        other = block != np.float32(code)
        count += int(block.size - np.count_nonzero(other))
        low = min(low, float(block.min(where=other, initial=np.inf)))
        high = max(high, float(block.max(where=other, initial=-np.inf)))
    return count, low, high


def whole(numbers: NDArray[np.float64]) -> bool:
    """Whether all are whole numbers."""
    return bool((numbers == np.floor(numbers)).all())


def shown(numbers: NDArray[np.float64]) -> str:
    """The first numbers of many, for a message."""
    return ", ".join(f"{number:.0f}" for number in numbers[:3]) + ", ..."
