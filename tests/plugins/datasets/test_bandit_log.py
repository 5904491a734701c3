"""The dataset bandit_log: Open Bandit's layout, other columns, features of the context."""

import csv
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from recframe.interfaces import Data, DataError
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig

DECISIONS = """,timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user-item_affinity_0
0,2019-11-24 00:00:34.762830+00:00,14,3,0,0.0125,b,x,0.5
1,2019-11-24 00:00:33.100000+00:00,2,1,1,0.25,a,x,0.0
2,2019-11-24 00:00:35.000000+00:00,14,2,0,1.0,b,y,1.5
"""
ITEM_CONTEXT = ",item_id,item_feature_0,item_feature_1\n0,2,-0.5,aa\n1,14,0.25,bb\n2,3,0.5,aa\n"


@pytest.fixture
def open_bandit(tmp_path):
    """A folder in the layout of the Open Bandit Dataset."""
    folder = tmp_path / "men"
    folder.mkdir()
    (folder / "men.csv").write_text(DECISIONS)
    (folder / "item_context.csv").write_text(ITEM_CONTEXT)
    return folder


def load(path: Path, **options) -> Data:
    return BanditLog(BanditLogConfig(interactions=str(path), **options)).load()


def test_open_bandits_layout_is_read_as_it_is(open_bandit):
    data = load(open_bandit)
    assert data.catalog.ids == ["2", "14", "3"]
    assert data.catalog.attributes.columns == ["title", "item_feature_0", "item_feature_1"]
    # in the order of time; each row is a user of its own, numbered in the order of the file
    assert data.interactions.frame.to_dict(as_series=False) == {
        "user": [1, 0, 2],
        "item": [0, 1, 1],
        "timestamp": [1574553633, 1574553634, 1574553635],
        "click": [1.0, 0.0, 0.0],
        "position": [0, 2, 1],
        "propensity": [0.25, 0.0125, 1.0],
    }
    # user_feature_0: a, b; user_feature_1: x, y; then the affinity
    assert data.interactions.features.tolist() == [[1, 0, 1, 0, 0.0], [0, 1, 1, 0, 0.5], [0, 1, 0, 1, 1.5]]
    assert data.interactions.features.dtype == torch.float32


def test_the_file_of_decisions_alone_is_enough(open_bandit):
    assert load(open_bandit / "men.csv").catalog.ids == ["14", "2"]


def test_categories_can_be_numbers(open_bandit):
    features = load(open_bandit, categories="index").interactions.features
    assert features.tolist() == [[0, 0, 0.0], [1, 0, 0.5], [1, 1, 1.5]]


def test_features_are_chosen_by_name_or_pattern(open_bandit):
    assert load(open_bandit, features=["user-item*"]).interactions.features.tolist() == [[0.0], [0.5], [1.5]]
    assert load(open_bandit, features=["user_feature_1"]).interactions.features.shape == (3, 2)
    assert load(open_bandit, features=[]).interactions.features is None
    with pytest.raises(DataError, match=r"dataset.features: 'age' fits no column"):
        load(open_bandit, features=["age"])
    with pytest.raises(DataError, match=r"column 'click' of .* has another meaning already"):
        load(open_bandit, features=["click"])


def test_too_many_values_for_a_column_each_are_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("item_id,reward,propensity,context_0\n" + "".join(f"{number % 3},1,0.5,v{number}\n" for number in range(1_001)))
    with pytest.raises(DataError, match=r"column 'context_0' has 1001 values, too many for a column each; use dataset\.categories=index"):
        load(path)
    assert load(path, categories="index").interactions.features.max() == 1_000


def test_columns_of_other_logs_are_named(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [
        {"who": "a", "shown": "x", "won": 1, "p": 0.5, "age": 30, "t": 978300760},
        {"who": "a", "shown": "y", "won": 0, "p": 0.1, "age": 31, "t": 978300761},
    ]
    path.write_text(pl.DataFrame(rows).write_ndjson())
    columns = {"user": "who", "item": "shown", "propensity": "p", "time": "t"}
    data = load(path, columns=columns, feedback={"reward": "won"}, features=["age"])
    assert data.users.ids == ["a"]
    assert data.interactions.frame.select("item", "reward", "propensity").rows() == [(0, 1.0, 0.5), (1, 0.0, 0.1)]
    assert data.interactions.features.tolist() == [[30], [31]]


def test_rows_with_an_impossible_propensity_can_be_left_out_with_their_features(open_bandit):
    path = open_bandit / "men.csv"
    path.write_text(DECISIONS.replace(",0.25,", ",0,"))
    data = load(open_bandit, malformed="skip")
    assert data.interactions.frame["propensity"].to_list() == [0.0125, 1.0]
    assert data.interactions.features.shape == (2, 4)


def test_a_folder_with_two_logs_is_refused(open_bandit):
    (open_bandit / "other.csv").write_text(DECISIONS)
    with pytest.raises(DataError, match=r"holds men.csv, other.csv \(besides item_context.csv\), expected one file"):
        load(open_bandit)


def test_the_component_conforms(open_bandit):
    registered = []
    registration.recframe_register_components(registered.append)
    component = next(one for one in registered if one.name == "bandit_log")
    check_component(component, BanditLogConfig(interactions=str(open_bandit)))


OPEN_BANDIT = "RECFRAME_OPEN_BANDIT"


@pytest.mark.evidence
@pytest.mark.skipif(OPEN_BANDIT not in os.environ, reason=f"{OPEN_BANDIT} does not name the folder obd of the Open Bandit Dataset")
@pytest.mark.parametrize("policy", ["random", "bts"])
@pytest.mark.parametrize(("campaign", "items"), [("all", 80), ("men", 34), ("women", 46)])
def test_open_bandits_small_logs_are_read_as_they_are(policy, campaign, items):
    folder = Path(os.environ[OPEN_BANDIT]) / policy / campaign
    data = load(folder)
    # the same rows by another reader
    with (folder / f"{campaign}.csv").open() as file:
        read = list(csv.DictReader(file))
    names = ("item_id", "position", "click", "propensity_score")
    rows = {name: np.array([float(row[name]) for row in read]) for name in names}
    frame = data.interactions.frame
    assert len(frame) == len(read) == 10_000
    assert len(data.catalog) == items
    order = frame["user"].to_numpy()
    assert (np.array([int(data.catalog.ids[item]) for item in frame["item"]]) == rows["item_id"][order]).all()
    assert (frame["position"].to_numpy() == rows["position"][order] - 1).all()
    assert (frame["click"].to_numpy() == rows["click"][order]).all()
    assert (frame["propensity"].to_numpy() == rows["propensity_score"][order]).all()
    assert data.interactions.features.shape[1] > items
    if policy == "random":
        assert frame["propensity"].unique().len() == 1
        assert frame["propensity"][0] == pytest.approx(1 / items, rel=1e-3)
