"""Options of the dataset rating_matrix. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option, seed_option


@dataclass
class RatingMatrixDatasetConfig:
    """A rating of every item by every user, from one file; rows are users, columns items.

    Ratings can be any finite numbers (they are stored as float32). The extension determines the format of the file:

    - `.npy`: a two-dimensional array of numbers.
    - `.csv`: ',' between the fields, or ';' or tabs if the first line has these. A first line without numbers is a header with the item
      names; so is a first line that starts with `user`, `user_id` or `userId`. With a header, the first column holds the user ids if
      its heading is one of these three or empty, or if its values are text.
    - `.txt`, `.ascii`, `.dat`: numbers only, separated by blanks.
    - `.parquet`: a column of numbers for each item, with the name of the item. A first column that is text, or is named `user`,
      `user_id` or `userId`, holds the user ids.

    A file whose numbers are hardly a matrix of ratings is refused, unless `plausibility` is `ignore`: a table with a row for each rating, a
    header of numbers, a column that numbers the users, a value that stands for "not rated".

    The names of items are their ids and, without `items`, their titles.
    """

    path: str = option(MISSING, "file of ratings, one row per user: .npy, .csv, .txt, .ascii, .dat or .parquet", exists=True)
    items: str | None = option(
        None,
        "file of items, row i for column i of the ratings: .csv or .parquet with a column 'title' (other columns become attributes), "
        "or .txt with one title per line; null: titles are the names in the ratings file",
        exists=True,
    )
    text_template: str = option(
        "{title}", "text of an item for the encoder, from {title} and the other columns of items; missing attributes are left out"
    )
    plausibility: str = option(
        "check",
        "check: refuse numbers that hardly are ratings of every item by every user; ignore: take them as they are",
        choices=["check", "ignore"],
    )
    evaluation_share: float = option(0.2, "share of the users who appear only in evaluation", gt=0.0, lt=1.0)
    split_seed: int = seed_option(0, "seed of the choice of these users")
