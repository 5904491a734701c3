"""The dataset synthetic_ratings: its equation, its split, and that it is a rating matrix like one from a file."""

import numpy as np
import pytest
import torch

from recframe.components import Kind
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.synthetic_ratings.config import SyntheticRatingsConfig
from recframe_plugins.datasets.synthetic_ratings.synthetic_ratings import SyntheticRatings


def load(**options):
    return SyntheticRatings(SyntheticRatingsConfig(**options)).load()


def test_data_are_those_of_a_rating_matrix():
    components = []
    registration.recframe_register_components(components.append)
    (component,) = [one for one in components if (one.kind, one.name) == (Kind.DATASET, "synthetic_ratings")]
    check_component(component)


def test_ratings_are_means_tastes_of_the_given_rank_and_noise():
    # without limits, item and user means leave a matrix of the rank of the tastes
    ratings = load(rank=3, noise=0.0, item_spread=0.1, user_spread=0.1, taste_spread=0.1, mean_rating=3.0).ratings.double().numpy()
    assert ratings.min() > 1
    assert ratings.max() < 5
    singular = np.linalg.svd(ratings - ratings.mean(axis=0), compute_uv=False)
    assert (singular > 1e-4 * singular[0]).sum() == 3 + 1


def test_spreads_are_standard_deviations():
    options = {"num_users": 2_000, "num_items": 1_000, "mean_rating": 3.0, "item_spread": 0.0, "user_spread": 0.0, "taste_spread": 0.0}
    for name in ("user_spread", "item_spread", "taste_spread"):
        ratings = load(**options | {name: 0.4, "noise": 0.0, "rank": 50}).ratings
        assert ratings.std() == pytest.approx(0.4, rel=0.1), name
    assert load(**options, noise=0.4).ratings.std() == pytest.approx(0.4, rel=0.01)


def test_ratings_stay_between_one_and_five():
    ratings = load(noise=3.0).ratings
    assert ratings.aminmax() == (1.0, 5.0)


def test_the_seed_determines_ratings_and_the_split_seed_only_the_split():
    first, again, split, other = load(), load(), load(split_seed=1), load(seed=1)
    assert torch.equal(first.ratings, again.ratings)
    assert torch.equal(first.ratings, split.ratings)
    assert not torch.equal(first.held_out, split.held_out)
    assert not torch.equal(first.ratings, other.ratings)
    assert first.held_out.sum() == 58


def test_popularity_knows_nothing_of_the_held_out():
    data = load(num_users=40, num_items=20)
    training = data.ratings[~data.held_out].numpy()
    np.testing.assert_allclose(data.catalog.popularity, (training >= training.mean()).mean(axis=0), rtol=1e-6)
