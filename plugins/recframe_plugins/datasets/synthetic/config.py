"""Options of the synthetic dataset. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import MemoryNeed, Sizes, option, seed_option

LEAST_TEXT = 100
"""Bytes of an item's or a user's text and attributes, at the least."""


@dataclass
class SyntheticConfig:
    """A generated catalogue and users, with texts written from latent topics; needs no file."""

    num_items: int = option(1000, "number of items to generate (M)", ge=1)
    num_users: int = option(2000, "number of users with text profiles to generate (P)", ge=1)
    num_topics: int = option(16, "number of latent topics of items and tastes, at most the number in the vocabulary", ge=2, le=20)
    utterances: int = option(
        0, "number of different texts that users can say for each topic, sentiment and time of day; 0: none", ge=0, le=100
    )
    seed: int = seed_option(0, "seed of the generated data; independent of the run's seed, so that runs are compared on the same data")
    text_template: str = option(
        "{title}. {description} {tags}", "text of an item for the encoder, from {title}, {description}, {tags} and {topics}"
    )

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The texts."""
        for name, count in (("num_items", self.num_items), ("num_users", self.num_users)):
            yield MemoryNeed(f"dataset.{name}={count}", "their texts", LEAST_TEXT * count)
