"""A complete rating matrix from a log of ratings: its densest people and items, and a matrix factorization for what nobody said.

    python benchmarks/dense_matrix.py FOLDER OUT.npy
    recframe train experiment=rating_matrix dataset=rating_matrix dataset.path=OUT.npy environment.click_threshold=8

FOLDER holds ratings in a layout of MovieLens or MovieTweetings. The person or item with the smallest share of ratings among those left is
removed, until so many people and items are left. Known ratings stay as they are. The others are predicted by the model of
`preference_model` (biases and factors, alternating least squares) fitted to all known ratings of the matrix, and set to the range of the
ratings. One model for everybody: people who are held out later are of the same population as those of training. Printed are the share of
known ratings, the error of the model on a tenth of them that was held out, and how many ratings are above each whole number.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.movielens_format import MovieLensFormat
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings
from recframe_plugins.environments.preference_model.scored_model import errors_of, hold_out

OPTIONS = FitOptions(factors=8, regularization=5.0, bias_regularization=2.0, iterations=15, seed=0)
HELD_OUT = 0.1


def densest(known: NDArray[np.bool_], people: int, items: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns of a dense `[people, items]` part of `known` `[P, M]`, found greedily from the whole."""
    rows, columns = np.ones(known.shape[0], dtype=bool), np.ones(known.shape[1], dtype=bool)
    by_row, by_column = known.sum(axis=1), known.sum(axis=0)
    while (too_many := rows.sum() > people) or columns.sum() > items:
        row = np.where(rows, by_row, known.size).argmin() if too_many else -1
        column = np.where(columns, by_column, known.size).argmin() if columns.sum() > items else -1
        # shares of the other side: counts of people and of items are not comparable
        if column < 0 or (row >= 0 and by_row[row] * rows.sum() <= by_column[column] * columns.sum()):
            rows[row] = False
            by_column = by_column - known[row]
        else:
            columns[column] = False
            by_row = by_row - known[:, column]
    return np.flatnonzero(rows), np.flatnonzero(columns)


def completed(ratings: NDArray[np.float64], options: FitOptions = OPTIONS) -> tuple[NDArray[np.float64], dict[str, float]]:
    """`ratings` `[P, M]` with predictions in place of NaN, and the model's held-out errors by name."""
    users, items = np.nonzero(~np.isnan(ratings))
    logged = Ratings(torch.from_numpy(users), torch.from_numpy(items), torch.from_numpy(ratings[users, items]))
    model = fit_ratings(logged, *ratings.shape, options)
    predicted = (model.mean + model.user_biases[:, None] + model.item_biases + model.user_factors @ model.item_factors.T).numpy()
    whole = np.where(np.isnan(ratings), predicted.clip(np.nanmin(ratings), np.nanmax(ratings)), ratings)
    return whole, errors_of(hold_out(logged, *ratings.shape, options, HELD_OUT))


def logged_ratings(folder: Path) -> NDArray[np.float64]:
    """The last rating of each item by each person, `[P, M]`; NaN: none."""
    data = MovieLensFormat(MovieLensFormatConfig(path=str(folder), min_user_ratings=5, min_item_ratings=5)).load()
    assert data.interactions is not None
    assert data.users is not None
    frame = data.interactions.frame
    ratings = np.full((len(data.users), len(data.catalog)), np.nan)
    ratings[frame["user"].to_numpy(), frame["item"].to_numpy()] = frame["rating"].to_numpy()
    return ratings


def write_matrix(folder: Path, out: Path, people: int, items: int) -> str:
    """Write the matrix, and describe it."""
    ratings = logged_ratings(folder)
    part = ratings[np.ix_(*densest(~np.isnan(ratings), people, items))]
    whole, errors = completed(part)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, whole.astype(np.float32))
    levels = range(int(np.ceil(whole.min())) + 1, int(whole.max()) + 1)
    lines = [
        f"{whole.shape[0]} people, {whole.shape[1]} items, {1 - np.isnan(part).mean():.1%} of the ratings known",
        *(f"{name}: {value:.3f}" for name, value in errors.items() if "rmse" in name),
        "share of ratings of at least " + ", ".join(f"{level}: {np.mean(whole >= level):.1%}" for level in levels),
    ]
    return "\n".join(lines)


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--items", type=int, default=300)
    print(write_matrix(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
