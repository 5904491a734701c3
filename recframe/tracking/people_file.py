"""people.npz in a run's folder: each person's sums behind the final table, for intervals over several runs. Imports no torch."""

from __future__ import annotations

import io
import logging
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recframe.tracking.atomic import atomic_write

log = logging.getLogger(__name__)

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for damaged archives."""

PEOPLE_NAME = "people.npz"
PEOPLE_OF_TABLE = "/people"


class RecordedPeople(NamedTuple):
    """The people of a run's final evaluation.

    ids: `[P]` int64, those of the main table.   tables: `{table: {policy: {metric: [P, 2]}}}` with the sums of numerators and of
    denominators, float32; the tables are `policies`, and where the run has them `cold_items`, `ranking`, `ranking.cold_items` and
    `ranking.cold_users`, named after the entries of result.json.   own_ids: the people of tables that are about others, by table.
    """

    ids: np.ndarray
    tables: dict[str, dict[str, dict[str, np.ndarray]]]
    own_ids: dict[str, np.ndarray]

    def of(self, table: str) -> np.ndarray:
        """The people that a table is about."""
        return self.own_ids.get(table, self.ids)


Sums = tuple[Sequence[str], np.ndarray, np.ndarray]
"""The m metrics' names, numerators and denominators `[P, m]`."""


def write_people(
    folder: Path, ids: np.ndarray, tables: Mapping[str, Mapping[str, Sums]], own_ids: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write `people.npz`: compressed arrays without pickled objects.

    ids: of the people of all tables but those in `own_ids`.   tables: the sums of each table and policy.
    """
    arrays = {"people": ids} | {f"{table}{PEOPLE_OF_TABLE}": own for table, own in (own_ids or {}).items()}
    for table, policies in tables.items():
        for policy, (names, numerators, denominators) in policies.items():
            arrays[f"{table}/{policy}/metrics"] = np.array(list(names), dtype=np.str_)
            arrays[f"{table}/{policy}/sums"] = np.stack([numerators, denominators], axis=2).astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(folder / PEOPLE_NAME, buffer.getvalue())


def read_people(folder: Path) -> RecordedPeople | None:
    """The content of a run's `people.npz`; None if it is missing, as in runs of earlier releases, or damaged, which is logged."""
    path = folder / PEOPLE_NAME
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tables: dict[str, dict[str, dict[str, np.ndarray]]] = {}
            own_ids: dict[str, np.ndarray] = {}
            for name in arrays.files:
                if name.endswith(PEOPLE_OF_TABLE):
                    own_ids[name.removesuffix(PEOPLE_OF_TABLE)] = arrays[name]
                elif name.endswith("/metrics"):
                    table, policy = name.removesuffix("/metrics").split("/", 1)
                    sums = arrays[f"{table}/{policy}/sums"]
                    tables.setdefault(table, {})[policy] = {str(metric): sums[:, place] for place, metric in enumerate(arrays[name])}
            return _checked(RecordedPeople(arrays["people"], tables, own_ids))
    except UNREADABLE as error:
        # numpy advises to load it all the same, as pickled objects, which could run code
        reason = "it is no archive of arrays" if "pickle" in str(error) else error or type(error).__name__
        log.warning("%s: cannot be read (%s); intervals over seeds are wider without it", path, reason)
        return None


def _checked(people: RecordedPeople) -> RecordedPeople:
    """The content, if all tables have the sums of each of their people, who are different.

    Raises
    ------
    ValueError: if not.
    """
    for ids in (people.ids, *people.own_ids.values()):
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or len(np.unique(ids)) < len(ids):
            raise ValueError("its people are not different whole numbers")
    for table, policies in people.tables.items():
        for policy, metrics in policies.items():
            for metric, sums in metrics.items():
                if sums.shape != (len(people.of(table)), 2) or sums.dtype.kind not in "fiu":
                    raise ValueError(f"{table}.{policy}.{metric} does not have two numbers for each person")
    return people
