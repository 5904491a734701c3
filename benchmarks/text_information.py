"""How much texts tell of people's responses to items that nobody has been seen to respond to, without any agent.

    Rscript benchmarks/text_matrices.R FOLDER
    python benchmarks/text_information.py FOLDER/senate.csv FOLDER/senate_texts.csv --liked 1
    python benchmarks/text_information.py FOLDER/statements.csv FOLDER/statements_texts.csv --liked 5

A linear model of a complete rating matrix R `[P, M]`. People are split in halves and items in five folds; every cell is predicted once, by
people of the other half and items of the other folds. With the mean b_i and the principal components F_i of the responses of those people,

    ridge regression from the vector of a text        x_i -> b_i, F_i           on the known items
    posterior of a person after m known items         z = (F'F + s² I)^-1 F' (r - b)
    prediction for an unknown item                    from its x_i: b_i + F_i z

The table has the R² of b_i over items, and the mean over people of the AUC: the chance that of two unknown items, one liked and one not,
the liked one is predicted to be so. `mean` ranks by b_i alone, `personal` by the whole prediction. Intervals resample people and items
together (the pigeonhole bootstrap: Owen, 2007, "The pigeonhole bootstrap", eq. 3). The row `responses` has the b_i and F_i of the responses
themselves in place of the text's: what is to be known if an item is not cold.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.encoder import TfidfEncoder

Array = NDArray[np.float64]

ITEM_FOLDS, COMPONENTS, RESAMPLES = 5, 8, 200
PENALTIES = np.logspace(-3, 3, 13)


class Predictions(NamedTuple):
    """For every item: its mean over the people who are predicted, and the predicted one, `[2, M]` (a row for each half of the people).

    For every cell: both scores `[P, M]`.
    """

    means: Array
    predicted_means: Array
    by_mean: Array
    personal: Array


def vectors_of(texts: list[str]) -> dict[str, Array | None]:
    """The vectors `[M, D]` of the texts by what read them; None: the items' own responses."""
    language_model = SentenceTransformersEncoder(SentenceTransformersConfig(), torch.device("cpu"))
    words = TfidfEncoder(TfidfConfig(), torch.device("cpu"))
    words.fit(texts)
    read = np.asarray(language_model.encode(texts, "item"), dtype=np.float64)
    shuffled = read[np.random.default_rng(1).permutation(len(texts))]
    return {
        "MiniLM": read,
        "tf-idf": np.asarray(words.encode(texts, "item"), dtype=np.float64),
        "MiniLM, shuffled": shuffled,
        "responses": None,
    }


def components_of(ratings: Array) -> tuple[Array, Array, float]:
    """Mean `[M]` and leading components `[M, K]` of each item, in units of a rating per unit of taste, and the variance that is left."""
    mean = ratings.mean(axis=0)
    _, scales, directions = np.linalg.svd(ratings - mean, full_matrices=False)
    kept = directions[:COMPONENTS].T * scales[:COMPONENTS] / np.sqrt(len(ratings))
    # some variance is left in any case, so that the posterior exists for a matrix of low rank, too
    return mean, kept, max(float(np.square(scales[COMPONENTS:]).sum() / ratings.size), 1e-9)


def from_texts(vectors: Array, targets: Array, known: NDArray[np.bool_]) -> Array:
    """Targets `[M, K]` by ridge regression on the known items, the penalty chosen by leave-one-out error, for each target by itself."""
    from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]  # scikit-learn ships no types

    model = RidgeCV(PENALTIES, alpha_per_target=True).fit(vectors[known], targets[known])
    return np.asarray(model.predict(vectors), dtype=np.float64)


def predictions(ratings: Array, vectors: Array | None, shown: int, generator: np.random.Generator) -> Predictions:
    """Predict every cell of `ratings` `[P, M]` from vectors `[M, D]`, or from the responses themselves; see the module docstring."""
    num_people, num_items = ratings.shape
    half = generator.permutation(num_people) % 2
    fold = generator.permutation(num_items) % ITEM_FOLDS
    means, predicted = np.empty((2, num_items)), np.empty((2, num_items))
    by_mean, personal = np.empty_like(ratings), np.empty_like(ratings)
    for side in (0, 1):
        mean, components, noise = components_of(ratings[half == side])
        means[side] = ratings[half != side].mean(axis=0)
        for number in range(ITEM_FOLDS):
            known = fold != number
            own = np.column_stack([mean, components])
            told = own if vectors is None else from_texts(vectors, own, known)
            asked = generator.choice(np.flatnonzero(known), shown, replace=False)
            seen = components[asked]
            surprise = ratings[half != side][:, asked] - mean[asked]
            taste = np.linalg.solve(seen.T @ seen + noise * np.eye(seen.shape[1]), seen.T @ surprise.T).T
            predicted[side, ~known] = told[~known, 0]
            cells = np.ix_(half != side, ~known)
            by_mean[cells] = told[~known, 0]
            personal[cells] = told[~known, 0] + taste @ told[~known, 1:].T
    return Predictions(means, predicted, by_mean, personal)


def aucs(liked: NDArray[np.bool_], scores: Array) -> Array:
    """The AUC of each person `[P]` by the rank sum (Mann and Whitney, 1947); nan for people who like all items or none."""
    from scipy.stats import rankdata

    positives = liked.sum(axis=1)
    ranks = (rankdata(scores, axis=1) * liked).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((ranks - positives * (positives + 1) / 2) / (positives * (liked.shape[1] - positives)))


def explained(found: Predictions, items: NDArray[np.int64]) -> float:
    """R² of the items' means, over both halves of the people."""
    true, predicted = found.means[:, items], found.predicted_means[:, items]
    return float(1 - np.square(true - predicted).sum() / np.square(true - true.mean(axis=1, keepdims=True)).sum())


def cell(statistic: Callable[[NDArray[np.int64], NDArray[np.int64]], float], shape: tuple[int, int], generator: np.random.Generator) -> str:
    """A statistic of people and items, with its 95 % interval over resampled people and items."""
    num_people, num_items = shape
    resampled = [
        statistic(generator.integers(num_people, size=num_people), generator.integers(num_items, size=num_items)) for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{statistic(np.arange(num_people), np.arange(num_items)):.2f} [{low:.2f}, {high:.2f}]"


def row(ratings: Array, liked: float, found: Predictions) -> str:
    """R² of the items' means, AUC by the mean, AUC of the whole prediction."""
    likes, generator = ratings >= liked, np.random.default_rng(2)

    def auc(scores: Array) -> str:
        return cell(lambda p, i: float(np.nanmean(aucs(likes[np.ix_(p, i)], scores[np.ix_(p, i)]))), ratings.shape, generator)

    return f"{cell(lambda _, i: explained(found, i), ratings.shape, generator)} | {auc(found.by_mean)} | {auc(found.personal)}"


def main() -> None:
    """Print the table of one matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ratings", type=Path, help="csv: a row for each person, the first column their names")
    parser.add_argument("texts", type=Path, help="csv with the column title, a row for each item")
    parser.add_argument("--liked", type=float, required=True, help="the response from which on a person likes an item")
    parser.add_argument("--shown", type=int, default=10, help="m: responses of a person that the prediction knows")
    options = parser.parse_args()
    ratings = pl.read_csv(options.ratings).drop("user").to_numpy().astype(np.float64)
    texts = pl.read_csv(options.texts)["title"].to_list()
    print("| read by | R² of item means | AUC, mean | AUC, personal |\n|---|---:|---:|---:|")
    for name, vectors in vectors_of(texts).items():
        found = predictions(ratings, vectors, options.shown, np.random.default_rng(0))
        print(f"| {name} | {row(ratings, options.liked, found)} |", flush=True)


if __name__ == "__main__":
    main()
