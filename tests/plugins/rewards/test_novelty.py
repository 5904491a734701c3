"""The novelty reward: less popular items are worth more."""

from dataclasses import replace
from itertools import pairwise

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import Catalog, self_information
from recframe_plugins.rewards.config import NoveltyConfig
from recframe_plugins.rewards.novelty import Novelty

counts = st.lists(st.integers(0, 500), min_size=2, max_size=12)


def catalog_of(popularity):
    names = [f"item {number}" for number in range(len(popularity))]
    return Catalog(names, names, pl.DataFrame({"title": names}), torch.tensor(popularity, dtype=torch.float32))


def every_item(step, catalog):
    """A user who is shown the whole catalogue at once."""
    return step(torch.arange(len(catalog))[None])


@given(popularity=counts)
def test_order_of_novelty_is_the_reverse_of_popularity(step, popularity):
    catalog = catalog_of(popularity)
    novelty = Novelty(NoveltyConfig())(every_item(step, catalog), catalog)[0]
    order = catalog.popularity.argsort(descending=True, stable=True)
    assert (novelty[order].diff() >= 0).all()
    for one, other in pairwise(order):
        assert (novelty[one] < novelty[other]) == (popularity[one] > popularity[other])


@given(popularity=counts)
def test_least_popular_item_is_worth_one_and_no_item_is_negative(step, popularity):
    catalog = catalog_of(popularity)
    novelty = Novelty(NoveltyConfig())(every_item(step, catalog), catalog)[0]
    assert novelty.max() == 1.0
    assert novelty.min() >= 0.0


def test_reward_is_in_bits_without_normalization(step):
    catalog = catalog_of([3, 1, 0, 0])
    novelty = Novelty(NoveltyConfig(normalize=False))(every_item(step, catalog), catalog)
    assert novelty.tolist() == [[1.0, 2.0, 3.0, 3.0]]


@given(popularity=counts, scale=st.floats(1e-3, 100))
def test_popularity_can_be_counts_or_shares(step, popularity, scale):
    catalog = catalog_of(popularity)
    rescaled = replace(catalog, popularity=catalog.popularity * scale)
    reward, transition = Novelty(NoveltyConfig()), every_item(step, catalog)
    torch.testing.assert_close(reward(transition, catalog), reward(transition, rescaled))


def test_only_item_of_a_catalogue_is_worth_zero(step):
    assert Novelty(NoveltyConfig())(step([[0]]), catalog_of([7])).tolist() == [[0.0]]


@given(popularity=counts)
def test_self_information_is_that_of_a_distribution(popularity):
    assert torch.exp2(-self_information(torch.tensor(popularity))).sum() == pytest.approx(1.0)
