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
    text_template: str = option(
        "{title}. {description} {tags}", "what the encoder reads of an item, from {title}, {description}, {tags} and {topics}"
    )


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


@dataclass
class RatingMatrixConfig:
    """A rating of every item by every user, from one file; rows are users, columns items.

    Ratings may be any finite numbers (they are held as float32). By its extension, the file is

    - `.npy`: a two-dimensional array of numbers,
    - `.csv`: ',' between the fields. A first line of which no field is a number holds the items' names; so does one that begins
      with `user`, `user_id` or `userId`. Under such a line, the first column holds the users' ids if its heading is one of
      these three or empty, or if its values are text,
    - `.txt`, `.ascii`, `.dat`: blanks between the numbers, and nothing but numbers,
    - `.parquet`: a column of numbers for each item, named after it; a first column that is text, or is named `user`, `user_id` or
      `userId`, holds the users' ids.

    Items' names are their ids and, without `items`, their titles.
    """

    path: str = option(MISSING, "file of ratings, a row for each user: .npy, .csv, .txt, .ascii, .dat or .parquet", exists=True)
    items: str | None = option(
        None,
        "file of items, row i for column i of the ratings: .csv or .parquet with a column 'title' (other columns become attributes), "
        "or .txt with a title on each line; null: titles are the names in the ratings' file",
        exists=True,
    )
    text_template: str = option(
        "{title}", "what the encoder reads of an item, from {title} and the other columns of items; what an item lacks is left out"
    )
    evaluation_share: float = option(0.2, "share of the users who are met only in evaluation", gt=0.0, lt=1.0)
    split_seed: int = option(0, "fixes who they are", ge=0)


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
    register(
        Component(
            Kind.DATASET,
            "rating_matrix",
            RatingMatrixConfig,
            "recframe_plugins.datasets.rating_matrix:RatingMatrix",
            provides={"rating_matrix", "attribute:title"},
        )
    )
