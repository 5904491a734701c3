"""The built-in datasets' options, and the hook that registers them."""

from collections.abc import Callable
from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl


@dataclass
class SyntheticConfig:
    """A generated catalogue and users with text written from latent topics; needs no file."""

    num_items: int = option(1000, "M, the items to generate", ge=1)
    num_users: int = option(2000, "P, the users with text profiles to generate", ge=1)
    num_topics: int = option(16, "latent topics that items and tastes are made of, at most as many as the vocabulary has", ge=2, le=20)
    seed: int = option(0, "seed of the generated world; independent of the run's seed, so that runs compare on one world", ge=0)


@dataclass
class MovieLensFormatConfig:
    """Ratings and titles from files laid out like MovieLens or MovieTweetings."""

    path: str = option(
        MISSING, "folder with movies.dat and ratings.dat ('::' between fields) or movies.csv and ratings.csv (with header)", exists=True
    )
    min_user_ratings: int = option(0, "drop users with fewer kept ratings, again and again until all users and items have enough", ge=0)
    min_item_ratings: int = option(0, "drop items with fewer kept ratings, again and again until all users and items have enough", ge=0)
    malformed: str = option("error", "stop at rows that cannot be used, or skip them and log how many", choices=["error", "skip"])
    encoding: str = option(
        "auto", "of the files; auto: UTF-8, or latin-1 where more lines are not UTF-8 than are", choices=["auto", "utf-8", "latin-1"]
    )
    text_template: str = option(
        "{title} ({year}). {genres}", "what the encoder reads of an item, from {title}, {year}, {genres}; what an item lacks is left out"
    )


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Offer the built-in datasets."""
    register(
        Component(
            Kind.DATASET,
            "synthetic",
            SyntheticConfig,
            "recframe_plugins.datasets.synthetic:Synthetic",
            provides={"users", "attribute:topics", "attribute:title", "attribute:description", "attribute:tags"},
        )
    )
    register(
        Component(
            Kind.DATASET,
            "movielens_format",
            MovieLensFormatConfig,
            "recframe_plugins.datasets.movielens_format:MovieLensFormat",
            provides={"interactions", "attribute:title", "attribute:genres", "attribute:year"},
        )
    )
