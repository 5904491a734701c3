"""Numbers that are no matrix of ratings are refused, unless the user says that they are one."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recframe.interfaces import Data, DataError
from recframe_plugins.datasets.rating_matrix.config import RatingMatrixDatasetConfig
from recframe_plugins.datasets.rating_matrix.rating_matrix import RatingMatrixDataset

GENERATOR = np.random.default_rng(0)
STARS = GENERATOR.integers(1, 6, (60, 9))
USERS, ITEMS = np.repeat(np.arange(1, 31), 6), np.concatenate([GENERATOR.permutation(40)[:6] for _ in range(30)])
LONG = np.stack([USERS, ITEMS, GENERATOR.integers(1, 6, 180), 978_300_000 + 37 * np.arange(180)], axis=1)
SHUFFLED = LONG[GENERATOR.permutation(180)]


def with_code(code: float, share: float) -> np.ndarray:
    """Stars, of which a share is replaced by a code for "not rated"."""
    return np.where(GENERATOR.random(STARS.shape) < share, code, STARS)


def written(folder: Path, kind: str, values: np.ndarray) -> Path:
    path = folder / f"ratings{kind}"
    if kind == ".npy":
        np.save(path, values)
    elif kind == ".parquet":
        pl.DataFrame(values, [f"column-{number}" for number in range(values.shape[1])]).write_parquet(path)
    else:
        np.savetxt(path, values, fmt="%g" if values.max() < 1e6 else "%d", delimiter="," if kind == ".csv" else " ")
    return path


def load(path: Path, **options) -> Data:
    return RatingMatrixDataset(RatingMatrixDatasetConfig(path=str(path), **options)).load()


TABLE = "this is a table with a row for each rating, not a matrix with a row for each user; dataset=movielens_format reads such tables"
IMPLAUSIBLE = {
    "user item rating time": (LONG, f"column 4 of 4 looks like a time (unix seconds): {TABLE}"),
    "in another order": (SHUFFLED, f"column 4 of 4 looks like a time (unix seconds): {TABLE}"),
    "milliseconds": (LONG * [1, 1, 1, 1000], f"column 4 of 4 looks like a time (unix milliseconds): {TABLE}"),
    "steps for times": (np.c_[LONG[:, :3], np.arange(180)], f"column 4 of 4 rises from row to row like a time: {TABLE}"),
    "user item rating": (
        LONG[:, :3],
        f"columns 1 and 2 of 3 look like ids of users and items (whole numbers up to 30 and 39, most pairs once): {TABLE}",
    ),
    "item user rating": (
        SHUFFLED[:, [1, 0, 2]],
        f"columns 1 and 2 of 3 look like ids of users and items (whole numbers up to 39 and 30, most pairs once): {TABLE}",
    ),
    "some items are rated again": (
        np.r_[LONG[:, :3], LONG[:20, :3]],
        f"columns 1 and 2 of 3 look like ids of users and items (whole numbers up to 30 and 39, most pairs once): {TABLE}",
    ),
    "header 0..M-1": (np.r_[[np.arange(9)], STARS], "the first row (0, 1, 2, ...) looks like a header with the numbers of the items"),
    "header 1..M": (np.r_[[np.arange(1, 10)], STARS], "the first row (1, 2, 3, ...) looks like a header with the numbers of the items"),
    "header of ids": (np.r_[[np.arange(9) * 7 + 100], STARS], "the first row (100, 107, 114, ...) looks like a header"),
    "row numbers": (np.c_[np.arange(60), STARS], "column 1 numbers the rows (0, 1, 2, ...), so it looks like ids of users"),
    "99 for not rated": (with_code(99, 0.3), "99 is in 3"),
    "99 in Jester's": (
        np.where(STARS == 1, 99, STARS * 4 - 12.5),
        "apart from all other values (-4.5 to 7.5): it looks like a code for 'not rated'",
    ),
    "0 for not rated": (with_code(0, 0.8), "apart from all other values (1 to 5): it looks like a code for 'not rated'"),
    "-1 for not rated": (with_code(-1, 0.7), "-1 is in "),
    "-999 in a few cells": (with_code(-999, 0.05), "-999 is in "),
}


@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_implausible_numbers_are_refused_with_the_reason_and_the_way_out(tmp_path, name):
    values, seen = IMPLAUSIBLE[name]
    path = written(tmp_path, ".csv", values)
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert seen in message
    assert message.endswith("if it is a matrix of ratings all the same, set dataset.plausibility=ignore")
    assert "\n" not in message
    assert load(path, plausibility="ignore").ratings.tolist() == values.astype(np.float32).tolist()


@pytest.mark.parametrize("kind", [".npy", ".txt", ".dat"])
@pytest.mark.parametrize("name", ["user item rating time", "99 for not rated", "header 0..M-1"])
def test_every_format_is_checked(tmp_path, kind, name):
    values, seen = IMPLAUSIBLE[name]
    with pytest.raises(DataError) as caught:
        load(written(tmp_path, kind, values))
    assert seen in str(caught.value)


@pytest.mark.parametrize("names", [("userId", "movieId", "rating", "timestamp"), ("item_id", "score"), ("User", "Product", "Stars")])
def test_table_with_named_columns_is_refused_by_its_header(tmp_path, names):
    table = pl.DataFrame(LONG[:, : len(names)], names)
    table.write_csv(tmp_path / "r.csv")
    table.write_csv(tmp_path / "r.txt", separator=" ")
    table.write_parquet(tmp_path / "r.parquet")
    for kind in ("csv", "txt", "parquet"):
        with pytest.raises(DataError) as caught:
            load(tmp_path / f"r.{kind}")
        assert f"the columns are {', '.join(names)}: {TABLE}" in str(caught.value)
        assert "\n" not in str(caught.value)


PLAUSIBLE = {
    "stars": STARS,
    "four items": STARS[:, :4],
    "clicks": (STARS > 4).astype(float),
    "rare clicks": (GENERATOR.random((60, 9)) < 0.02).astype(float),
    "mostly one star": np.where(GENERATOR.random(STARS.shape) < 0.8, 1, STARS),
    "mostly five stars": np.where(GENERATOR.random(STARS.shape) < 0.8, 5, STARS),
    "0 to 10": GENERATOR.integers(0, 11, (40, 5)),
    "normal": GENERATOR.normal(size=(50, 8)),
    "one large watch ratio": np.r_[GENERATOR.exponential(size=(50, 8)), [[900, *[1.5] * 7]]],
    "equal but for one": np.r_[np.full((20, 5), 3), [[3, 3, 4, 3, 3]]],
    "three items, whole numbers": GENERATOR.integers(0, 6, (10, 3)),
}


@pytest.mark.parametrize("name", PLAUSIBLE)
def test_matrices_of_ratings_pass(tmp_path, name):
    assert load(written(tmp_path, ".npy", PLAUSIBLE[name])).ratings.tolist() == PLAUSIBLE[name].astype(np.float32).tolist()
