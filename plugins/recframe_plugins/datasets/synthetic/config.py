"""Options of the synthetic dataset. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class SyntheticConfig:
    """A generated catalogue and users with text written from latent topics; needs no file."""

    num_items: int = option(1000, "M, the items to generate", ge=1)
    num_users: int = option(2000, "P, the users with text profiles to generate", ge=1)
    num_topics: int = option(16, "latent topics that items and tastes are made of, at most as many as the vocabulary has", ge=2, le=20)
    utterances: int = option(0, "different texts that people may say for each topic, sentiment and time of day; 0: none", ge=0, le=100)
    seed: int = option(0, "seed of the generated world; independent of the run's seed, so that runs compare on one world", ge=0)
    text_template: str = option(
        "{title}. {description} {tags}", "what the encoder reads of an item, from {title}, {description}, {tags} and {topics}"
    )
