"""Complete rating matrices with tastes of low rank, and environments of their people, for tests of collaborative policies."""

import polars as pl
import torch

from recframe.experience import RewardSum
from recframe.interfaces import Catalog, Data, Users
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.rating_matrix import RatingMatrixEnvironment
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig


def rating_data(seed, people=290, items=300, rank=6):
    """Ratings from 1 to 5: an item's mean, a person's mood, tastes of low rank, and noise; a fifth of the people are held out."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    tastes = normal(people, rank) @ normal(rank, items) / rank**0.5
    ratings = (3.0 + 0.5 * normal(items) + 0.3 * normal(people, 1) + 0.9 * tastes + 0.4 * normal(people, items)).clamp(1, 5)
    catalog = Catalog(
        ids=[f"i{item}" for item in range(items)],
        texts=["the same text"] * items,
        attributes=pl.DataFrame({"title": [f"Title {item}" for item in range(items)]}),
        popularity=torch.ones(items),
        text_vectors=normal(items, 4),
    )
    held_out = torch.rand(people, generator=generator).argsort() < people // 5
    return Data(catalog, Users([f"u{person}" for person in range(people)]), ratings=ratings, held_out=held_out)


def rating_world(data, split, num_users, **options):
    """Ten turns without repetition, where a rating of four or more is a click; `options` change the environment's."""
    config = RatingMatrixEnvironmentConfig(**{"max_steps": 10, "click_threshold": 4.0} | options)
    return RatingMatrixEnvironment(config, data, num_users=num_users, history_length=20, split=split, device="cpu")


def click_reward(data):
    """One per click."""
    return RewardSum({"click": (Click(ClickConfig()), 1.0)}, data.catalog, frozenset({"click"}))
