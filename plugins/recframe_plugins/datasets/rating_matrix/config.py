"""Options of the dataset rating_matrix. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option, seed_option


@dataclass
class RatingMatrixDatasetConfig:
    """A rating of every item by every user, from one file; rows are users, columns items. A second file may hold those of evaluation.

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
    test_path: str | None = option(
        None,
        "a second such file, with the same items: its people are those of evaluation, and everybody in `path` is trained on; null: a share "
        "of the people in `path` is held out",
        exists=True,
    )
    missing: str = option(
        "refuse",
        "empty fields, null and NaN. refuse: they are mistakes; keep: ratings that are not known (environment.missing says what they mean)",
        choices=["refuse", "keep"],
    )
    missing_value: float | None = option(None, "a number that also stands for a rating that is not known, such as 0; needs missing=keep")
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

    def contradictions(self) -> Iterator[str]:
        """Refuse a code for missing ratings where they are mistakes, and a split of people whom files split."""
        if self.missing_value is not None and self.missing == "refuse":
            yield f"dataset.missing_value is {self.missing_value:g}, but dataset.missing is refuse; use dataset.missing=keep"
        defaults = type(self)
        for name in ("evaluation_share", "split_seed"):
            if self.test_path is not None and getattr(self, name) != getattr(defaults, name):
                yield f"dataset.{name} chooses who is held out, but dataset.test_path holds the people of evaluation; leave one of them out"
