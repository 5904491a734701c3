"""Options of the dataset movielens_format. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig


@dataclass
class MovieLensFilesConfig:
    """The files, and how they are read."""

    path: str = option(
        MISSING, "folder with movies.dat and ratings.dat ('::' between fields) or movies.csv and ratings.csv (with header)", exists=True
    )
    min_user_ratings: int = option(0, "drop users with fewer remaining ratings, repeated until all users and items have enough", ge=0)
    min_item_ratings: int = option(0, "drop items with fewer remaining ratings, repeated until all users and items have enough", ge=0)
    malformed: str = option("error", "stop at malformed rows, or skip them and log their number", choices=["error", "skip"])
    encoding: str = option(
        "auto",
        "encoding of the files, unless they begin with a byte order mark (UTF-8, UTF-16); auto: UTF-8, or latin-1 if most lines with "
        "non-ASCII characters are not UTF-8. latin-1 includes the quotes, dashes and euro sign of cp1252",
        choices=["auto", "utf-8", "latin-1"],
    )
    text_template: str = option(
        "{title} ({year}). {genres}", "text of an item for the encoder, from {title}, {year}, {genres}; missing attributes are left out"
    )


@dataclass
class MovieLensFormatConfig(PseudonymConfig, MovieLensFilesConfig):
    """Ratings and titles from files in the layout of MovieLens or MovieTweetings.

    A .csv file may have ';' or tabs between the fields, and quotes, separators and line ends in quoted fields (RFC 4180, or a backslash
    before quotes). Files may lack timestamps: the order of the rows then stands for the order in time.
    """
