"""Matrices with ratings that are not known, matrices that say nothing, and a second matrix for evaluation."""

import numpy as np
import polars as pl
import pytest
import torch

from recframe.components import contradictions
from recframe.interfaces import DataError
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.rating_matrix.config import RatingMatrixDatasetConfig
from recframe_plugins.datasets.rating_matrix.rating_matrix import RatingMatrixDataset

NAN = float("nan")
# users by items, as Coat has them: 0 stands for a rating that is not known
COAT = "0 0 3 5\n1 0 0 2\n4 5 0 0\n0 2 2 0\n5 0 0 1\n0 3 0 4\n0 0 0 2\n"


@pytest.fixture
def load(tmp_path):
    def load(name, content, test=None, **options):
        path = tmp_path / name
        path.write_text(content)
        if test is not None:
            (tmp_path / f"test{path.suffix}").write_text(test)
            options["test_path"] = str(tmp_path / f"test{path.suffix}")
        return RatingMatrixDataset(RatingMatrixDatasetConfig(path=str(path), **options)).load()

    return load


def assert_ratings(data, expected):
    torch.testing.assert_close(data.ratings, torch.tensor(expected), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.csv", "5,,3\n1,nan,2\n4,2,\n"), ("m.csv", "user,a,b,c\nx,5,,3\ny,1,NaN,2\nz,4,2,\n"), ("m.txt", "5 nan 3\n1 nan 2\n4 2 NaN\n")],
)
def test_empty_fields_and_nan_are_ratings_that_are_not_known(load, name, content):
    assert_ratings(load(name, content, missing="keep"), [[5.0, NAN, 3.0], [1.0, NAN, 2.0], [4.0, 2.0, NAN]])
    with pytest.raises(DataError, match=r"column \d: (no value|'?nan)"):
        load(name, content)


def test_missing_ratings_of_binary_files_are_not_known(tmp_path):
    np.save(tmp_path / "m.npy", np.array([[5.0, NAN], [1.0, 2.0]]))
    pl.DataFrame({"a": [5, 1], "b": [None, 2]}).write_parquet(tmp_path / "m.parquet")
    for name in ("m.npy", "m.parquet"):
        path = str(tmp_path / name)
        assert_ratings(RatingMatrixDataset(RatingMatrixDatasetConfig(path=path, missing="keep")).load(), [[5.0, NAN], [1.0, 2.0]])
        with pytest.raises(DataError, match="row 1, column"):
            RatingMatrixDataset(RatingMatrixDatasetConfig(path=path)).load()


def test_a_code_stands_for_ratings_that_are_not_known(load):
    with pytest.raises(DataError, match=r"0 is in 54% of the cells.*dataset\.missing=keep dataset\.missing_value=0 reads it as that"):
        load("train.ascii", COAT)
    data = load("train.ascii", COAT, missing="keep", missing_value=0.0)
    assert data.ratings.isnan().sum() == COAT.replace("\n", " ").split().count("0")
    assert data.ratings[2, :2].tolist() == [4.0, 5.0]
    # the share of the training people who are known to like an item
    liked = data.ratings[~data.held_out] >= data.ratings[~data.held_out].nanmean()
    torch.testing.assert_close(data.catalog.popularity, liked.float().mean(dim=0))


@pytest.mark.parametrize(("content", "problem"), [("5,inf\n1,\n", "column 2: 'inf' is not finite"), ("5,x\n1,\n", "'x' is not a number")])
def test_only_missing_values_are_kept(load, content, problem):
    with pytest.raises(DataError, match=problem) as refused:
        load("m.csv", content, missing="keep")
    assert "more to fix" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("1,1,1\n1,1,1\n", {}, "m.csv: every rating is 1, so nothing says which items are better; expected ratings that differ"),
        ("1,1,1\n1,1,1\n", {"plausibility": "ignore"}, "every rating is 1"),
        ("1,,1\n,1,1\n", {"missing": "keep"}, "every rating is 1"),
        (",,\n,,nan\n", {"missing": "keep"}, "m.csv: holds no rating; every cell is missing"),
    ],
)
def test_ratings_that_say_nothing_are_refused_with_the_file(load, content, options, message):
    with pytest.raises(DataError, match=message) as refused:
        load("m.csv", content, **options)
    assert "\n" not in str(refused.value)


def test_the_people_of_a_test_matrix_are_those_of_evaluation(load):
    data = load("m.csv", "user,a,b\nann,5,1\nbob,4,2\n", test="user,a,b\nbob,1,5\ncyd,2,4\n")
    assert data.users.ids == ["ann", "bob", "bob (test)", "cyd"]
    assert data.ratings.tolist() == [[5, 1], [4, 2], [1, 5], [2, 4]]
    assert data.held_out.tolist() == [False, False, True, True]
    assert data.catalog.ids == ["a", "b"]
    # from the training matrix alone
    assert data.catalog.popularity.tolist() == [1.0, 0.0]


def test_unnamed_people_of_two_matrices_are_numbered_in_each(load):
    data = load("m.txt", "5 1\n4 2\n", test="1 5\n2 4\n3 3\n")
    assert data.users.ids == ["user-0", "user-1", "user-0 (test)", "user-1 (test)", "user-2"]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("5,1\n4,2\n", "1,5,3\n2,4,3\n", "test.csv: has 3 items, expected 2, those of"),
        ("user,a,b\nx,5,1\ny,4,2\n", "user,a,c\nx,5,1\ny,4,2\n", "test.csv: item 2 is 'c', but 'b' in"),
        ("5,1\n4,2\n", "3,3\n3,3\n", "test.csv: every rating is 3"),
    ],
)
def test_a_test_matrix_of_other_items_is_refused_in_one_line(load, train, test, message):
    with pytest.raises(DataError, match=message) as refused:
        load("m.csv", train, test=test)
    assert "\n" not in str(refused.value)


def test_settings_that_contradict_each_other_are_named():
    assert contradictions(RatingMatrixDatasetConfig(path="m", missing_value=0.0)) == [
        "dataset.missing_value is 0, but dataset.missing is refuse; use dataset.missing=keep"
    ]
    (line,) = contradictions(RatingMatrixDatasetConfig(path="m", test_path="n", split_seed=3))
    assert line.startswith("dataset.split_seed chooses who is held out, but dataset.test_path holds the people of evaluation")


def test_a_dataset_with_missing_ratings_keeps_the_contract(tmp_path):
    (tmp_path / "m.ascii").write_text(COAT)
    registered = []
    registration.recframe_register_components(registered.append)
    (component,) = [component for component in registered if component.name == "rating_matrix"]
    check_component(component, RatingMatrixDatasetConfig(path=str(tmp_path / "m.ascii"), missing="keep", missing_value=0.0))
