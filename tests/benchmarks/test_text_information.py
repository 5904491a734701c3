"""What texts tell about unseen items: the measure, on made matrices; and the figures in docs/results/texts.md, on real ones."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("text_information", FOLDER / "text_information.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def matrices(tmp_path_factory):
    """The folder with the two real matrices, as their R packages have them."""
    if shutil.which("Rscript") is None:
        pytest.skip("the real texts are in R packages, and there is no Rscript (Debian: r-base-core)")
    for package in ("pscl", "psychTools"):
        if subprocess.run(["Rscript", "-e", f"library({package})"], check=False, capture_output=True).returncode:
            pytest.skip(f"the R package {package}, which carries the real texts, is not installed (Debian: r-cran-{package.lower()})")
    folder = tmp_path_factory.mktemp("matrices")
    subprocess.run(["Rscript", str(FOLDER / "text_matrices.R"), str(folder)], check=True)
    return folder


def made_matrix(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ratings `[60, 80]` of people with two tastes, and vectors `[80, 6]` from which the items' properties can be read."""
    properties = generator.normal(size=(80, 2))
    ratings = generator.normal(size=(60, 2)) @ properties.T + 0.3 * generator.normal(size=(60, 80))
    return ratings, properties @ generator.normal(size=(2, 6)) + 0.05 * generator.normal(size=(80, 6))


def mean_auc(script, ratings, vectors):
    found = script.predictions(ratings, vectors, 10, np.random.default_rng(3))
    return np.nanmean(script.aucs(ratings >= 0, found.personal))


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half(script):
    liked = np.array([[True, False, True, False], [True, True, True, True]])
    scores = np.array([[0.5, 0.5, 0.9, 0.1], [0.1, 0.2, 0.3, 0.4]])
    found = script.aucs(liked, scores)
    # of the pairs (0, 1), (0, 3), (2, 1), (2, 3), the first is a tie
    assert found[0] == pytest.approx(3.5 / 4)
    assert np.isnan(found[1])


def test_texts_that_tell_the_properties_predict_unseen_items_and_shuffled_texts_do_not(script):
    generator = np.random.default_rng(0)
    ratings, vectors = made_matrix(generator)
    assert mean_auc(script, ratings, vectors) > 0.85
    assert 0.4 < mean_auc(script, ratings, generator.permutation(vectors)) < 0.6


def test_the_responses_themselves_tell_more_than_texts_that_tell_half(script):
    generator = np.random.default_rng(0)
    ratings, vectors = made_matrix(generator)
    vague = vectors + 2 * generator.normal(size=vectors.shape)
    assert mean_auc(script, ratings, None) > mean_auc(script, ratings, vague) + 0.1
    assert mean_auc(script, ratings, vague) > 0.6


@pytest.mark.evidence
@pytest.mark.parametrize(("name", "liked", "read", "unread"), [("senate", 1, 0.68, 0.53), ("statements", 5, 0.56, 0.53)])
def test_texts_tell_what_people_say_to_real_items_that_were_never_seen(script, matrices, name, liked, read, unread):
    ratings = pl.read_csv(matrices / f"{name}.csv").drop("user").to_numpy().astype(float)
    texts = pl.read_csv(matrices / f"{name}_texts.csv")["title"].to_list()
    vectors = script.vectors_of(texts)
    aucs = {
        reader: np.nanmean(
            script.aucs(ratings >= liked, script.predictions(ratings, vectors[reader], 10, np.random.default_rng(0)).personal)
        )
        for reader in ("MiniLM", "MiniLM, shuffled")
    }
    assert aucs["MiniLM"] > read
    assert aucs["MiniLM, shuffled"] < unread
