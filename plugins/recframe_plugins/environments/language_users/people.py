"""Who the people are: users of the dataset, or the lines of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Data, DataError
from recframe_plugins.environments.language_users.config import PersonaConfig

ONE_LINE = '{"persona": TEXT} or {"persona": TEXT, "user": ID}'


class Population(NamedTuple):
    """The people of a world, of both splits.

    numbers: `[P]` int64, ascending: rows of `Data.users` if `known`, otherwise lines of the file from 0.
    known: whether they are users of the dataset.   personas: what the file says of them, by number; None: there is no file.
    """

    numbers: Tensor
    known: bool
    personas: dict[int, str] | None = None


def population(config: PersonaConfig, data: Data) -> Population:
    """The people whom a config names.

    Raises
    ------
    DataError: the dataset knows nothing of any person, and there is no file; or the file cannot be used (it is named with the line).
    """
    if config.personas is not None:
        return _from_file(Path(config.personas).expanduser(), data)
    if data.users is not None and data.users.profiles is not None:
        return Population(torch.arange(len(data.users)), True)
    if data.interactions is None or not len(data.interactions):
        raise DataError(
            "environment=language_users: this dataset has neither logged interactions nor profiles of users, so nothing is known of any "
            f"person; use another dataset, or environment.personas=FILE with lines of {ONE_LINE}"
        )
    users = data.interactions.frame["user"].unique().sort()
    return Population(torch.from_numpy(users.to_numpy(writable=True)), True)


def _from_file(path: Path, data: Data) -> Population:
    rows = {} if data.users is None else {name: row for row, name in enumerate(data.users.ids)}
    found: dict[int, str] = {}
    named: set[bool] = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"environment.personas: {path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"environment.personas: {path}, line {place}"
        persona, user = _entry(line, where)
        named.add(user is not None)
        if len(named) > 1:
            raise DataError(f"{where}: some lines have a 'user', and others have none; give it in all lines, or in none")
        if user is not None and user not in rows:
            raise DataError(f"{where}: the dataset has no user {user!r}; its first is {next(iter(rows), None)!r}")
        number = len(found) if user is None else rows[user]
        if number in found:
            raise DataError(f"{where}: the user {user!r} has a persona already, in an earlier line; give one for each")
        found[number] = persona
    if len(found) < 2:
        raise DataError(
            f"environment.personas: {path} has {len(found)} people; at least 2 are needed, one to train on and one to evaluate on"
        )
    return Population(torch.tensor(sorted(found)), True in named, found)


def _entry(line: str, where: str) -> tuple[str, str | None]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    persona = entry.get("persona") if isinstance(entry, dict) else None
    user = entry.get("user") if isinstance(entry, dict) else None
    if not isinstance(persona, str) or not persona.strip() or not (user is None or isinstance(user, str)):
        raise DataError(f"{where}: {line[:60]!r} is not of the form {ONE_LINE}, with texts in quotes")
    return " ".join(persona.split()), user


def histories(frame: pl.DataFrame, feedback: str | None, like_from: float, count: int) -> dict[int, tuple[list[tuple[int, float]], ...]]:
    """What each user rated at least `like_from`, highest first, and what lower, lowest first: at most `count` items each, with ratings.

    Of equal ratings the latest come first, and of these the items with the lowest numbers. feedback: the column of the ratings; None: there
    are none, and the items that a user chose last count as rated high, at 0.
    """
    rating = pl.lit(0.0) if feedback is None else pl.col(feedback).cast(pl.Float64)
    rated = frame.select("user", "item", "timestamp", value=rating.fill_nan(None)).drop_nulls()
    # many logs have one timestamp for many ratings: the texts of personas, and so the answers that are kept, must not depend on their order
    rated = rated.sort("timestamp", "item", descending=[True, False], maintain_order=True)
    rated = rated.unique(["user", "item"], keep="first", maintain_order=True)
    found: dict[int, tuple[list[tuple[int, float]], ...]] = {}
    sides = (pl.lit(True), pl.lit(False)) if feedback is None else (pl.col("value") >= like_from, pl.col("value") < like_from)
    for side, (of_side, descending) in enumerate(zip(sides, (True, False), strict=True)):
        ordered = rated.filter(of_side).sort("value", descending=descending, maintain_order=True)
        listed = ordered.group_by("user", maintain_order=True).agg(pl.col("item").head(count), pl.col("value").head(count))
        for user, items, values in listed.iter_rows():
            high, low = found.get(user, ([], []))
            entries = list(zip(items, values, strict=True))
            found[user] = (entries, low) if side == 0 else (high, entries)
    return found
