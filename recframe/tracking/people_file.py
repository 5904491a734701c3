"""people.npz in a run's folder: each person's sums behind the final table, for intervals over several runs. Imports no torch."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recframe.tracking.atomic import atomic_write

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
    """The content of a run's `people.npz`; None if it is missing, as in runs of earlier releases, or damaged."""
    try:
        with np.load(folder / PEOPLE_NAME, allow_pickle=False) as arrays:
            tables: dict[str, dict[str, dict[str, np.ndarray]]] = {}
            for name in arrays.files:
                if not name.endswith("/metrics"):
                    continue
                table, policy = name.removesuffix("/metrics").split("/", 1)
                sums = arrays[f"{table}/{policy}/sums"]
                tables.setdefault(table, {})[policy] = {str(metric): sums[:, place] for place, metric in enumerate(arrays[name])}
            return RecordedPeople(arrays["people"], tables)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
