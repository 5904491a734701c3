"""What the readers of rating matrices give, and the checks and words that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recframe.interfaces import DataError

__all__ = ["MISSING_VALUE", "USER_HEADINGS", "Matrix", "all_finite", "check_ids", "check_size", "first_repeated", "refusal", "unusable"]

# A first column with such a heading (in any case) holds the users' ids.
USER_HEADINGS = ("user", "user_id", "userid")

MISSING_VALUE = "no value, expected a number: in a complete matrix every user rates every item"


class Matrix(NamedTuple):
    """A rating of every item by every user.

    values: `[P, M]` float32, finite, row-major.   users, items: P and M ids, unique, or None where the file names none.
    """

    values: NDArray[np.float32]
    users: list[str] | None = None
    items: list[str] | None = None


def all_finite(values: NDArray[np.float32]) -> bool:
    """Whether there is neither NaN nor infinity; unlike `np.isfinite` it makes no second matrix."""
    return bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def check_size(path: Path, num_users: int, num_items: int) -> None:
    """Refuse a matrix that nothing can be learned from.

    Raises
    ------
    DataError: if there are fewer than two users, of whom one could be met in training and the other in evaluation, or no items.
    """
    if num_users < 2:
        raise DataError(f"{path}: holds {num_users} row(s), expected one for each of at least two users")
    if num_items < 1:
        raise DataError(f"{path}: holds no column of ratings, expected one for each item")


def check_ids(kind: str, ids: Sequence[str], place: Callable[[int], str]) -> None:
    """Refuse ids that name nothing or not one thing only; `place(i)` says where the i-th stands.

    Raises
    ------
    DataError: naming the first empty or repeated id.
    """
    if "" in ids:
        raise DataError(f"{place(ids.index(''))}: the {kind}'s id is empty, expected a name")
    if repeated := first_repeated(ids):
        first, again = repeated
        raise DataError(f"{place(again)}: {kind} {ids[again]!r} is at {place(first)} already, expected each id once")


def first_repeated(names: Sequence[str]) -> tuple[int, int] | None:
    """Where the first name stands that was there before, as (before, again); None if each occurs once."""
    first: dict[str, int] = {}
    return next(((before, again) for again, name in enumerate(names) if (before := first.setdefault(name, again)) != again), None)


def unusable(value: object, *, finite: bool) -> str:
    """What is wrong with a value that is no finite float32; `finite`: it would be one, were it smaller."""
    if finite:
        return f"{value} is too large, expected at most {np.finfo(np.float32).max:.2g} (float32)"
    return f"{value} is not finite, expected a number such as 3.5"


def refusal(first: str, count: int) -> DataError:
    """The error that names the first of `count` problems."""
    return DataError(first if count == 1 else f"{first} (and {count - 1} more to mend)")
