"""Made data in the layouts of rating-matrix protocols: a complete matrix with categories, and a pair of matrices with missing ratings.

    python benchmarks/protocol_worlds.py FOLDER
    recframe train experiment=easyrl4rec dataset.path=FOLDER/complete.ascii
    recframe train experiment=rl4rec dataset.path=FOLDER/train.ascii dataset.test_path=FOLDER/test.ascii \\
        dataset.missing=keep dataset.missing_value=0 environment.missing=impute

A person's rating of an item is

    r_ui = clip(round(3 + 0.7 p_u . c_k(i) + 0.4 q_i + 0.5 eps_ui), 1, 5)

with normal tastes p_u and category traits c_k in three dimensions, normal item qualities q_i, and normal noise. Items of a category have
similar columns, so that the distance of EasyRL4Rec's quit rule finds them. As in Coat, each person chooses the items that are in
`train.ascii`, more often those that they like (by a softmax of the rating), and those in `test.ascii` are drawn at random; 0 is missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ratings = NDArray[np.int64]


def complete_matrix(people: int, items: int, categories: int, generator: np.random.Generator) -> tuple[Ratings, NDArray[np.int64]]:
    """Stars `[people, items]` by the equation of the module docstring, and each item's category `[items]`."""
    category = np.arange(items) % categories
    traits = generator.normal(size=(categories, 3))[category]
    tastes = generator.normal(size=(people, 3)) @ traits.T
    latent = 3.0 + 0.7 * tastes + 0.4 * generator.normal(size=items) + 0.5 * generator.normal(size=(people, items))
    return np.clip(np.round(latent), 1, 5).astype(np.int64), category


def observed(ratings: Ratings, count: int, bias: float, generator: np.random.Generator) -> Ratings:
    """The ratings of `count` items of each person, drawn in proportion to exp(bias * rating) without replacement; 0 for the others."""
    # the largest perturbed scores are a draw without replacement (Gumbel top-k)
    scores = bias * ratings + generator.gumbel(size=ratings.shape)
    chosen = scores.argsort(axis=1)[:, -count:]
    known = np.zeros_like(ratings)
    np.put_along_axis(known, chosen, np.take_along_axis(ratings, chosen, axis=1), axis=1)
    return known


def write_worlds(folder: Path, people: int, items: int, categories: int, train: int, test: int, seed: int) -> str:
    """Write the three files, and describe the distances of the columns of the complete matrix."""
    generator = np.random.default_rng(seed)
    ratings, category = complete_matrix(people, items, categories, generator)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "complete": ratings,
        "train": observed(ratings, train, 1.0, generator),
        "test": observed(ratings, test, 0.0, generator),
    }
    for name, values in parts.items():
        np.savetxt(folder / f"{name}.ascii", values, fmt="%d")
    squares = (ratings**2).sum(axis=0)
    distances = np.sqrt(squares[:, None] + squares - 2 * ratings.T @ ratings)
    pairs = ~np.eye(items, dtype=bool)
    same = pairs & (category[:, None] == category)
    medians = {"of one category": np.median(distances[same]), "of two": np.median(distances[pairs & ~same])}
    shares = ", ".join(f"{np.mean(distances[pairs] < bound):.0%} of pairs are closer than {bound}" for bound in (8, 10, 12))
    return f"{people} people, {items} items; median distance " + ", ".join(f"{k} {v:.1f}" for k, v in medians.items()) + f"; {shares}"


def main() -> None:
    """Write the files into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, value in (("people", 120), ("items", 60), ("categories", 10), ("train", 24), ("test", 16), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    print(write_worlds(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
