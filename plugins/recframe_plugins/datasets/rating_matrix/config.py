"""Options of the dataset rating_matrix. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option


@dataclass
class RatingMatrixDatasetConfig:
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
