"""A rating matrix as read from a file, and the checks and messages that the readers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recframe.interfaces import DataError

__all__ = ["MISSING_VALUE", "USER_HEADINGS", "Matrix", "all_usable", "check_ids", "check_size", "first_repeated", "refusal", "unusable"]

# A first column with one of these headings (case-insensitive) holds the user ids.
USER_HEADINGS = ("user", "user_id", "userid")

MISSING_VALUE = (
    "no value, expected a number: in a complete matrix every user rates every item (dataset.missing=keep: a rating that is not known)"
)


class Matrix(NamedTuple):
    """A rating of every item by every user.

    values: `[P, M]` float32, row-major; finite, or NaN where a rating is missing and may be.
    users, items: P and M ids, unique, or None if the file has none.
    """

    values: NDArray[np.float32]
    users: list[str] | None = None
    items: list[str] | None = None


def all_usable(values: NDArray[np.float32], missing: bool) -> bool:
    """Whether there is no infinity, and, unless ratings may be `missing`, no NaN. Unlike `np.isfinite`, it needs no second matrix."""
    if not missing:
        return bool(np.isfinite(values.min()) and np.isfinite(values.max()))
    return not (np.isinf(np.fmin.reduce(values, axis=None)) or np.isinf(np.fmax.reduce(values, axis=None)))


def check_size(path: Path, num_users: int, num_items: int) -> None:
    """Refuse a matrix that is too small.

    Raises
    ------
    DataError: it has fewer than two users (one for training, one for evaluation), or no items.
    """
    if num_users < 2:
        raise DataError(f"{path}: holds {num_users} row(s), expected one for each of at least two users")
    if num_items < 1:
        raise DataError(f"{path}: holds no column of ratings, expected one for each item")


def check_ids(kind: str, ids: Sequence[str], place: Callable[[int], str]) -> None:
    """Refuse empty and repeated ids; `place(i)` is the place of the i-th id for messages.

    Raises
    ------
    DataError: an id is empty or repeated; the message names the first one.
    """
    if "" in ids:
        raise DataError(f"{place(ids.index(''))}: the {kind}'s id is empty, expected a name")
    if repeated := first_repeated(ids):
        first, again = repeated
        raise DataError(f"{place(again)}: {kind} {ids[again]!r} is already at {place(first)}, expected each id once")


def first_repeated(names: Sequence[str]) -> tuple[int, int] | None:
    """The positions (first, second) of the first name that occurs again; None if all names are unique."""
    first: dict[str, int] = {}
    return next(((before, again) for again, name in enumerate(names) if (before := first.setdefault(name, again)) != again), None)


def unusable(value: object, *, finite: bool) -> str:
    """The problem with a value that is not a finite float32. `finite`: the value is finite, but too large."""
    if finite:
        return f"{value} is too large, expected at most {np.finfo(np.float32).max:.2g} (float32)"
    return f"{value} is not finite, expected a number such as 3.5"


def refusal(first: str, num_problems: int) -> DataError:
    """The error that names the first of `num_problems` problems."""
    return DataError(first if num_problems == 1 else f"{first} (and {num_problems - 1} more to fix)")
