"""The dataset movielens_format: logged ratings in the file layouts of MovieLens and MovieTweetings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from recframe.interfaces import Catalog, Data, DataError, Dataset, Interactions, Users
from recframe_plugins.datasets.files.malformed_rows import judge
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.files import movielens_layout, read_movies, read_ratings
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of
from recframe_plugins.datasets.text_template import as_text, check_template, fill_template

__all__ = ["MovieLensFormat"]

PLACEHOLDERS = ("title", "year", "genres")


def last_ratings(ratings: pl.DataFrame, num_items: int) -> pl.DataFrame:
    """Each user's last rating of each item, sorted by timestamp, then user, then item; of simultaneous ratings the later row counts."""
    ordered = ratings.sort("timestamp", "user", "item", maintain_order=True)
    pair = pl.col("user") * num_items + pl.col("item")
    return ordered.filter(pair.is_last_distinct())


def k_core(ratings: pl.DataFrame, min_user_ratings: int, min_item_ratings: int) -> pl.DataFrame:
    """The largest subset of the ratings in which every user and every item has at least the minimum number of ratings."""
    height = -1
    while ratings.height != height:
        height = ratings.height
        if min_user_ratings > 1:
            ratings = ratings.filter(pl.len().over("user") >= min_user_ratings)
        if min_item_ratings > 1:
            ratings = ratings.filter(pl.len().over("item") >= min_item_ratings)
    return ratings


def renumbered(numbers: pl.Series, kept: np.ndarray) -> pl.Series:
    """Convert row numbers of a table to row numbers among its `kept` rows (a mask)."""
    return pl.Series(numbers.name, (np.cumsum(kept) - 1)[numbers.to_numpy()], dtype=pl.Int64)


class MovieLensFormat(Dataset):
    """Users, items and ratings from a folder with `movies` and `ratings` files.

    Items are in the order of the movies file, including unrated items unless `min_item_ratings` excludes them. Users are in the order of
    their first row in the ratings file; users without a remaining rating are dropped. If a user rated an item several times, the last
    rating counts.
    """

    def __init__(self, config: MovieLensFormatConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read, check, filter and number everything.

        Raises
        ------
        DataError: something is missing, rows are malformed, or no rating is left; the message names the files, lines or options.
        """
        config = self.config
        check_template(config.text_template, PLACEHOLDERS)
        pseudonyms = pseudonyms_of(config)
        folder = Path(config.path).expanduser()
        layout = movielens_layout(folder)
        movies_path, ratings_path = layout.files(folder)
        items, malformed_movies = read_movies(movies_path, layout, config.encoding)
        ratings, malformed_ratings = read_ratings(ratings_path, layout, config.encoding, items["item"], hide=config.pseudonymise)
        judge([malformed_movies, malformed_ratings], config.malformed)
        if ratings.is_empty():
            raise DataError(f"{ratings_path}: holds no usable rating of an item in {movies_path.name}, expected at least one")
        users = ratings.select(pl.col("user").unique(maintain_order=True))["user"]
        ratings = ratings.with_columns(pl.col("user").replace_strict(users, range(len(users)), return_dtype=pl.Int64))
        ratings = k_core(last_ratings(ratings, len(items)), config.min_user_ratings, config.min_item_ratings)
        if ratings.is_empty():
            raise DataError(
                f"{ratings_path}: no rating is left with dataset.min_user_ratings={config.min_user_ratings} and "
                f"dataset.min_item_ratings={config.min_item_ratings}, expected lower minima"
            )
        item_counts = np.bincount(ratings["item"].to_numpy(), minlength=len(items))
        kept_items = item_counts >= config.min_item_ratings
        kept_users = np.bincount(ratings["user"].to_numpy(), minlength=len(users)) > 0
        items = items.filter(pl.Series(kept_items))
        return Data(
            catalog=Catalog(
                ids=items["item"].to_list(),
                texts=self.texts(items),
                attributes=items.drop("item"),
                popularity=torch.from_numpy(item_counts[kept_items]).float(),
            ),
            users=Users(ids=pseudonyms(users.filter(pl.Series(kept_users)).to_list())),
            interactions=Interactions(
                ratings.with_columns(renumbered(ratings["user"], kept_users), renumbered(ratings["item"], kept_items)),
                feedback=("rating",),
                source=str(ratings_path),
            ),
        )

    def texts(self, items: pl.DataFrame) -> list[str]:
        """The text of each item for the encoder."""
        return fill_template(self.config.text_template, as_text(items.select(PLACEHOLDERS)))
