"""Options of the dataset movielens_format. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option


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
