"""The dataset synthetic_ratings: a complete matrix of ratings from tastes of low rank.

    R_ui = clip(c + a_i + b_u + t <p_u, q_i> / sqrt(<w, w>) + e_ui, 1, 5)

with normal item means a_i, user means b_u and noise e_ui, and tastes p_u, q_i of `rank` normal factors. Factor k has the weight
w_k = 1 / sqrt(k), as the spectra of real rating matrices fall (q_ik ~ N(0, w_k^2)); t is the standard deviation of the tastes' part.
"""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, Data, Dataset, Users
from recframe_plugins.datasets.rating_matrix.rating_matrix import drawn_users, share_of_fans
from recframe_plugins.datasets.synthetic_ratings.config import SyntheticRatingsConfig

LOWEST, HIGHEST = 1.0, 5.0


class SyntheticRatings(Dataset):
    """The same kind of data as `rating_matrix` gives, generated; see the module docstring."""

    def __init__(self, config: SyntheticRatingsConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Generate everything; the same config gives the same data."""
        config = self.config
        ratings = self.ratings(torch.Generator().manual_seed(config.seed))
        held_out = drawn_users(config.num_users, config.evaluation_share, config.split_seed)
        titles = [f"Item {number}" for number in range(config.num_items)]
        return Data(
            catalog=Catalog(
                ids=[f"item-{number}" for number in range(config.num_items)],
                texts=titles,
                attributes=pl.DataFrame({"title": titles}),
                popularity=share_of_fans(ratings[~held_out]),
            ),
            users=Users([f"user-{number}" for number in range(config.num_users)]),
            ratings=ratings,
            held_out=held_out,
        )

    def ratings(self, generator: torch.Generator) -> Tensor:
        """R `[P, M]` float32 by the equation of the module docstring."""
        config = self.config
        users, items, rank = config.num_users, config.num_items, config.rank

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        weights = torch.arange(1, rank + 1).rsqrt()
        item_means, user_means = config.item_spread * normal(items), config.user_spread * normal(users, 1)
        tastes = normal(users, rank) @ (weights * normal(items, rank)).T / weights.norm()
        raw = config.mean_rating + item_means + user_means + config.taste_spread * tastes + config.noise * normal(users, items)
        ratings: Tensor = raw.clamp(LOWEST, HIGHEST)
        return ratings
