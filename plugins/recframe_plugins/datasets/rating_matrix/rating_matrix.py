"""The dataset rating_matrix: a complete user-by-item matrix, so that an environment can answer every recommendation from the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, Data, DataError, Dataset, Users
from recframe_plugins.datasets.files.archives import unpack_first
from recframe_plugins.datasets.rating_matrix.binary_files import read_npy_matrix, read_parquet_matrix
from recframe_plugins.datasets.rating_matrix.config import RatingMatrixDatasetConfig
from recframe_plugins.datasets.rating_matrix.item_table import read_item_table
from recframe_plugins.datasets.rating_matrix.matrix import Matrix
from recframe_plugins.datasets.rating_matrix.plausibility import check_plausible, require_informative
from recframe_plugins.datasets.rating_matrix.text_files import read_text_matrix
from recframe_plugins.datasets.text_template import check_template, item_texts, text_columns

__all__ = ["RatingMatrixDataset"]

READERS: Mapping[str, Callable[[Path, bool], Matrix]] = {
    ".npy": read_npy_matrix,
    ".csv": partial(read_text_matrix, separated=True),
    ".txt": partial(read_text_matrix, separated=False),
    ".ascii": partial(read_text_matrix, separated=False),
    ".dat": partial(read_text_matrix, separated=False),
    ".parquet": read_parquet_matrix,
}


def read_matrix(path: Path, key: str = "dataset.path", *, missing: bool = False) -> Matrix:
    """Read the matrix in a file whose extension is one of `READERS`.

    Parameters
    ----------
    key: the setting that names the file, for messages.    missing: whether ratings may be missing.

    Raises
    ------
    DataError: the extension is unknown, or the file cannot be used; the message names the place.
    """
    reader = READERS.get(path.suffix.lower())
    # an npz file is an archive of npy files
    if path.suffix.lower() not in (".npy", ".parquet") and (packed := unpack_first(path, "the file in it")):
        raise DataError(f"{key}={path}: {packed}")
    if reader is None:
        raise DataError(f"{key}={path}: unknown kind of file, expected {', '.join(READERS)}")
    if not path.is_file():
        raise DataError(f"{key}={path}: there is no such file")
    try:
        return reader(path, missing)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}), expected a readable file") from None


def read_known_ratings(path: Path, key: str, config: RatingMatrixDatasetConfig) -> Matrix:
    """Read a matrix of ratings as the config says, and refuse one that is hardly a matrix of ratings, or that distinguishes no items.

    Raises
    ------
    DataError: see `read_matrix`, `check_plausible` and `require_informative`.
    """
    matrix = read_matrix(path, key, missing=config.missing == "keep")
    if config.missing_value is not None:
        matrix.values[matrix.values == np.float32(config.missing_value)] = np.nan
    if config.plausibility == "check":
        check_plausible(path, matrix)
    require_informative(path, matrix)
    return matrix


def with_test_matrix(path: Path, train: Matrix, test_path: Path, test: Matrix) -> tuple[Matrix, Tensor]:
    """The people of both matrices in one, those of `train` first, and which of them are held out, `[P]` bool: those of `test`.

    A person in both files is two users: the matrices answer for them independently. The second one's id ends in "(test)".

    Raises
    ------
    DataError: the matrices have different items.
    """
    sizes = len(train.values), len(test.values)
    if train.values.shape[1] != test.values.shape[1]:
        raise DataError(f"{test_path}: has {test.values.shape[1]} items, expected {train.values.shape[1]}, those of {path}")
    if train.items and test.items and train.items != test.items:
        place = next(number for number, names in enumerate(zip(train.items, test.items, strict=True)) if names[0] != names[1])
        raise DataError(
            f"{test_path}: item {place + 1} is {test.items[place]!r}, but {train.items[place]!r} in {path}; expected the same items in the "
            "same order"
        )
    first, second = (matrix.users or [f"user-{row}" for row in range(len(matrix.values))] for matrix in (train, test))
    known = set(first)
    users = [*first, *(f"{user} (test)" if user in known else user for user in second)]
    held_out = torch.arange(sum(sizes)) >= sizes[0]
    return Matrix(np.concatenate([train.values, test.values]), users, train.items or test.items), held_out


def drawn_users(num_users: int, share: float, seed: int) -> Tensor:
    """The users held out for evaluation, `[P]` bool: a fixed random share of the users, at least one and never all."""
    count = min(max(round(share * num_users), 1), num_users - 1)
    held_out = torch.zeros(num_users, dtype=torch.bool)
    held_out[torch.randperm(num_users, generator=torch.Generator().manual_seed(seed))[:count]] = True
    return held_out


def share_of_fans(ratings: Tensor) -> Tensor:
    """`[M]` float32: the share of the users who rate an item at or above the mean of all known `ratings` `[P, M]` (NaN: not known)."""
    # rounded to the precision of the ratings, so that the mean of equal ratings is that rating
    mean = ratings.nanmean(dtype=torch.float64).float()
    return (ratings >= mean).sum(dim=0).float() / len(ratings)


class RatingMatrixDataset(Dataset):
    """Users, items and a rating for each pair of them, from one file, or from one for training and one for evaluation.

    `Data.ratings` holds the values of the file (NaN where a rating is not known), and `Data.held_out` the users held out for evaluation.
    `catalog.popularity` is the share of the other users who rate an item at or above the mean of their ratings, so policies and rewards
    that read it have no information about held-out users. Ids are those of the file; if it has none, they are `user-0`, `user-1`, ... and
    `item-0`, `item-1`, ... in the order of rows and columns. Titles and other attributes come from `config.items`; without it, item ids are
    the titles.
    """

    def __init__(self, config: RatingMatrixDatasetConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read and check everything.

        Raises
        ------
        DataError: a file or setting cannot be used; the message names the file and the place in it, or the setting.
        """
        path = Path(self.config.path).expanduser()
        # the small file first, so that mistakes in it are reported before the large file is read
        table = None if self.config.items is None else read_item_table(Path(self.config.items).expanduser())
        check_template(self.config.text_template, ["title"] if table is None else text_columns(table))
        matrix = read_known_ratings(path, "dataset.path", self.config)
        held_out = drawn_users(len(matrix.values), self.config.evaluation_share, self.config.split_seed)
        if self.config.test_path is not None:
            test_path = Path(self.config.test_path).expanduser()
            matrix, held_out = with_test_matrix(path, matrix, test_path, read_known_ratings(test_path, "dataset.test_path", self.config))
        num_users, num_items = matrix.values.shape
        if table is not None and table.height != num_items:
            raise DataError(f"{self.config.items}: holds {table.height} item(s), expected {num_items}, one for each column of {path}")
        ids = matrix.items or [f"item-{number}" for number in range(num_items)]
        if table is None:
            table = pl.DataFrame({"title": ids})
        ratings = torch.from_numpy(matrix.values)
        return Data(
            catalog=Catalog(
                ids=ids, texts=item_texts(self.config.text_template, table), attributes=table, popularity=share_of_fans(ratings[~held_out])
            ),
            users=Users(matrix.users or [f"user-{number}" for number in range(num_users)]),
            ratings=ratings,
            held_out=held_out,
        )
