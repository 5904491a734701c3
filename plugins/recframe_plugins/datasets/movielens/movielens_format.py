"""The dataset movielens_format: logged ratings in the file layouts of MovieLens and MovieTweetings."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import torch

from recframe.interfaces import Catalog, Data, DataError, Dataset, Interactions, Users
from recframe.logs import k_core
from recframe_plugins.datasets.files.malformed_rows import judge
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.files import movielens_layout, read_movies, read_ratings
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of
from recframe_plugins.datasets.text_template import as_text, check_template, fill_template

__all__ = ["MovieLensFormat"]

PLACEHOLDERS = ("title", "year", "genres")
MINIMA = {"user": "dataset.min_user_ratings", "item": "dataset.min_item_ratings"}


def last_ratings(ratings: pl.DataFrame, num_items: int) -> pl.DataFrame:
    """Each user's last rating of each item, sorted by timestamp, then user, then row; of simultaneous ratings the later row counts."""
    ordered = ratings.sort("timestamp", "user", maintain_order=True)
    pair = pl.col("user") * num_items + pl.col("item")
    return ordered.filter(pair.is_last_distinct())


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
        ratings = last_ratings(ratings, len(items))
        data = Data(
            catalog=Catalog(
                ids=items["item"].to_list(),
                texts=self.texts(items),
                attributes=items.drop("item"),
                popularity=torch.bincount(torch.from_numpy(ratings["item"].to_numpy(writable=True)), minlength=len(items)).float(),
            ),
            users=Users(ids=pseudonyms(users.to_list())),
            interactions=Interactions(ratings, feedback=("rating",), source=str(ratings_path)),
        )
        return k_core(data, config.min_user_ratings, config.min_item_ratings, MINIMA)

    def texts(self, items: pl.DataFrame) -> list[str]:
        """The text of each item for the encoder."""
        return fill_template(self.config.text_template, as_text(items.select(PLACEHOLDERS)))
