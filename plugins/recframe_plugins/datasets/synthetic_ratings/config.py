"""Options of the dataset synthetic_ratings. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import FLOAT, MemoryNeed, Sizes, option, seed_option


@dataclass
class SyntheticRatingsConfig:
    """A generated rating of every item by every user, from tastes of low rank; needs no file.

    Titles only number the items: texts tell nothing about tastes, so what a user says is the only evidence.
    """

    num_users: int = option(290, "number of users (P)", ge=2)
    num_items: int = option(300, "number of items (M)", ge=1)
    rank: int = option(6, "number of latent factors of tastes", ge=1)
    mean_rating: float = option(3.3, "mean rating, before ratings below 1 and above 5 are set to these limits", ge=1.0, le=5.0)
    item_spread: float = option(0.5, "standard deviation of the items' means", ge=0.0)
    user_spread: float = option(0.3, "standard deviation of the users' means: some rate everything higher", ge=0.0)
    taste_spread: float = option(0.7, "standard deviation of what tastes add to a rating", ge=0.0)
    noise: float = option(0.6, "standard deviation of what nothing explains", ge=0.0)
    seed: int = seed_option(0, "seed of the generated data; independent of the run's seed, so that runs are compared on the same data")
    evaluation_share: float = option(0.2, "share of the users who appear only in evaluation", gt=0.0, lt=1.0)
    split_seed: int = seed_option(0, "seed of the choice of these users")

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The rating of every item by every user, and the users' tastes."""
        users = f"dataset.num_users={self.num_users}"
        yield MemoryNeed(f"{users} with dataset.num_items={self.num_items}", "the ratings", FLOAT * self.num_users * self.num_items)
        yield MemoryNeed(f"dataset.rank={self.rank} with {users}", "the tastes", FLOAT * self.rank * (self.num_users + self.num_items))
