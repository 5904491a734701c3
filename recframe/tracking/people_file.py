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


class RecordedPeople(NamedTuple):
    """The people of a run's final evaluation.

    ids: `[P]` int64.   tables: `{table: {policy: {metric: [P, 2]}}}` with the sums of numerators and of denominators, float32; the tables
    are `policies` and, if items were held back, `cold_items`, as in result.json.
    """

    ids: np.ndarray
    tables: dict[str, dict[str, dict[str, np.ndarray]]]


def write_people(folder: Path, ids: np.ndarray, tables: Mapping[str, Mapping[str, tuple[Sequence[str], np.ndarray, np.ndarray]]]) -> None:
    """Write `people.npz`: compressed arrays without pickled objects.

    `tables` has for each table and policy the m metrics' names, numerators and denominators `[P, m]`.
    """
    arrays = {"people": ids}
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
            for name in arrays.files:
                if not name.endswith("/metrics"):
                    continue
                table, policy = name.removesuffix("/metrics").split("/", 1)
                sums = arrays[f"{table}/{policy}/sums"]
                tables.setdefault(table, {})[policy] = {str(metric): sums[:, place] for place, metric in enumerate(arrays[name])}
            return RecordedPeople(arrays["people"], tables)
    except UNREADABLE as error:
        log.warning("%s: cannot be read (%s); intervals over seeds are wider without it", path, error or type(error).__name__)
        return None
