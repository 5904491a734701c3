"""The k-core: the largest part of a log in which everybody has enough, and everything that belongs to it numbered anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import Data, DataError, Interactions, Labels, Texts
from recframe.logs import k_core
from recframe.logs.k_core import core_rows
from recframe.testing import toy_data

DATA = toy_data(num_items=12, num_users=10)


def naive_core(pairs: list[tuple[int, int]], min_user: int, min_item: int) -> list[int]:
    """The rows that are left when one row with too few companions is removed after another, in any order."""
    left = list(range(len(pairs)))
    while True:
        for row in left:
            of_user = sum(pairs[other][0] == pairs[row][0] for other in left)
            of_item = sum(pairs[other][1] == pairs[row][1] for other in left)
            if of_user < min_user or of_item < min_item:
                left.remove(row)
                break
        else:
            return left


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40),
    min_user=st.integers(0, 4),
    min_item=st.integers(0, 4),
)
def test_the_core_equals_that_of_removing_row_after_row(pairs, min_user, min_item):
    users, items = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    assert np.flatnonzero(core_rows(users, items, min_user, min_item)).tolist() == naive_core(pairs, min_user, min_item)


def with_log(pairs: list[tuple[int, int]], **fields: object) -> Data:
    frame = pl.DataFrame(
        {"user": [user for user, _ in pairs], "item": [item for _, item in pairs], "timestamp": range(len(pairs))},
        schema={"user": pl.Int64, "item": pl.Int64, "timestamp": pl.Int64},
    )
    features = torch.arange(float(len(pairs)))[:, None]
    return DATA._replace(interactions=Interactions(frame, (), source="log.csv", features=features), **fields)


# users 2, 4 and 5 and items 1, 3 and 6 are a 2-core; user 7 has one interaction, item 9 too
PAIRS = [(4, 3), (2, 1), (2, 3), (7, 1), (5, 6), (5, 3), (4, 6), (2, 9), (4, 1)]


def test_users_and_items_are_numbered_anew_in_everything_that_has_them():
    ratings = torch.arange(120.0).reshape(10, 12)
    held_out = torch.arange(10) % 2 == 0
    texts = DATA.users.profiles
    labels = {"mood": Labels(("good", "bad"), torch.rand(10, 2, generator=torch.Generator().manual_seed(0)))}
    profiles = Texts(texts.texts, texts.vectors, pl.DataFrame({"age": range(10)}), labels)
    data = with_log(PAIRS, users=replace(DATA.users, profiles=profiles, attributes=pl.DataFrame({"n": range(10)})), ratings=ratings)
    core = k_core(data._replace(held_out=held_out), 2, 2)
    users, items = [2, 4, 5], [1, 3, 6]
    assert core.users.ids == [DATA.users.ids[user] for user in users]
    assert core.users.profiles.texts == [texts.texts[user] for user in users]
    assert torch.equal(core.users.profiles.vectors, texts.vectors[users])
    assert core.users.profiles.attributes["age"].to_list() == users
    assert torch.equal(core.users.profiles.labels["mood"].probabilities, labels["mood"].probabilities[users])
    assert core.users.attributes["n"].to_list() == users
    assert core.catalog.ids == [DATA.catalog.ids[item] for item in items]
    assert core.catalog.texts == [DATA.catalog.texts[item] for item in items]
    assert core.catalog.titles == [DATA.catalog.titles[item] for item in items]
    assert torch.equal(core.catalog.text_vectors, DATA.catalog.text_vectors[items])
    assert core.catalog.popularity.tolist() == [2.0, 3.0, 2.0]
    assert torch.equal(core.ratings, ratings[users][:, items])
    assert core.held_out.tolist() == [True, True, False]
    rows = [(users[user], items[item]) for user, item in core.interactions.frame.select("user", "item").iter_rows()]
    assert rows == [(4, 3), (2, 1), (2, 3), (5, 6), (5, 3), (4, 6), (4, 1)]
    assert core.interactions.features[:, 0].tolist() == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0]
    assert core.contexts is data.contexts


def test_items_without_interactions_stay_where_no_number_is_asked_of_items():
    core = k_core(with_log(PAIRS), 2, 0)
    assert len(core.catalog) == 12
    assert core.users.ids == [DATA.users.ids[user] for user in (2, 4, 5)]
    assert len(k_core(with_log(PAIRS), 0, 1).catalog) == 4


def test_nothing_is_done_where_nothing_is_asked_or_there_is_no_log():
    data = with_log(PAIRS)
    assert k_core(data, 0, 0) is data
    without = data._replace(interactions=None)
    assert k_core(without, 2, 2) is without


def test_a_log_of_which_nothing_is_left_is_refused():
    message = r"log.csv: no interaction is left with split.min_user_interactions=4 and split.min_item_interactions=3, expected lower"
    with pytest.raises(DataError, match=message):
        k_core(with_log(PAIRS), 4, 3)
