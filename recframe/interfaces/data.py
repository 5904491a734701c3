"""The data that a dataset loads: a catalogue of items, users, texts and logged interactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces.encoder import Role
from recframe.interfaces.logged_choices import LoggedChoices


class DataError(UserError, ValueError):
    """Data that cannot be used; the message names the file and line (or column), what was wrong and what would be right."""


@dataclass(frozen=True)
class Catalog:
    """The M items that can be recommended. An item's number is its row here.

    ids: the items' names in the data, M strings.
    texts: the text of each that the encoder reads, M strings.
    attributes: one row per item; a column `title`, and whatever else the data has.
    popularity: `[M]` float32, the number of interactions with each (or its a-priori share); >= 0.
    text_vectors: `[M, D]` float32, or None until the texts are encoded.
    num_questions: Q, how many of the M are questions that may be asked in place of recommending: the last Q (`recframe.interfaces.asks`).
    """

    ids: list[str]
    texts: list[str]
    attributes: pl.DataFrame
    popularity: Tensor
    text_vectors: Tensor | None = None
    num_questions: int = 0

    def __post_init__(self) -> None:
        sizes = {"ids": len(self.ids), "texts": len(self.texts), "attributes": self.attributes.height, "popularity": len(self.popularity)}
        if self.text_vectors is not None:
            sizes["text_vectors"] = len(self.text_vectors)
        if len(set(sizes.values())) > 1:
            raise DataError(f"a catalogue's parts must agree on the number of items, not {sizes}")
        if not self.ids:
            raise DataError("the catalogue is empty: there is nothing to recommend")
        if "title" not in self.attributes.columns:
            raise DataError(f"a catalogue needs a 'title' attribute; it has {', '.join(self.attributes.columns) or 'none'}")
        if not 0 <= self.num_questions < len(self.ids):
            raise DataError(f"a catalogue of {len(self.ids)} cannot have {self.num_questions} questions: at least one must be an item")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def titles(self) -> list[str]:
        """The items' titles, for tables and reports."""
        return self.attributes["title"].to_list()

    @property
    def first_question(self) -> int:
        """The number of the first question, which is how many rows are items; M if there are no questions."""
        return len(self.ids) - self.num_questions

    def with_questions(self, questions: Mapping[str, str]) -> Catalog:
        """The catalogue with questions after its rows: nobody has met them, and of their attributes only the `title` is known.

        questions: text by id; the text is what the encoder reads, and the title.

        Raises
        ------
        DataError: the catalogue has questions already, or has an item with such an id.
        """
        if self.num_questions:
            raise DataError(f"the catalogue has {self.num_questions} questions already")
        if taken := sorted(set(self.ids).intersection(questions)):
            raise DataError(f"the catalogue has an item {taken[0]!r}, which is the id of a question; give the item another id")
        texts, count = list(questions.values()), len(questions)
        vectors = self.text_vectors
        return Catalog(
            [*self.ids, *questions],
            [*self.texts, *texts],
            pl.concat([self.attributes, pl.DataFrame({"title": texts}, schema={"title": pl.String})], how="diagonal_relaxed"),
            torch.cat([self.popularity, self.popularity.new_zeros(count)]),
            None if vectors is None else torch.cat([vectors, vectors.new_zeros(count, vectors.shape[1])]),
            count,
        )

    def without_questions(self) -> Catalog:
        """The items alone; the catalogue itself if it has no questions."""
        if not self.num_questions:
            return self
        items = self.first_question
        vectors = None if self.text_vectors is None else self.text_vectors[:items]
        return Catalog(self.ids[:items], self.texts[:items], self.attributes[:items], self.popularity[:items], vectors)


@dataclass(frozen=True)
class Labels:
    """Probabilities of L labels for each of n texts, predicted from their vectors by the run's `labels` section.

    names: the L labels, in the order of the columns.   probabilities: `[n, L]` float32, rows sum to 1.
    measures: measures of how accurate they are, by name, where the data has the labels of some texts.
    """

    names: tuple[str, ...]
    probabilities: Tensor
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.probabilities.dim() != 2 or self.probabilities.shape[1] != len(self.names):
            raise DataError(f"{len(self.names)} labels need one column of probabilities each, not {list(self.probabilities.shape)}")


@dataclass(frozen=True)
class Texts:
    """n texts that observations refer to by row.

    texts: n strings.
    vectors: `[n, D]` float32, or None until the texts are encoded.
    attributes: one row per text, such as a column `sentiment`; null where unknown. Agents do not read them.
    labels: the same attributes predicted from the vectors, by name (`sentiment`); empty unless the run's `labels` section asks for them.
    """

    texts: list[str]
    vectors: Tensor | None = None
    attributes: pl.DataFrame | None = None
    labels: dict[str, Labels] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.attributes is not None and self.attributes.height != len(self.texts):
            raise DataError(f"{len(self.texts)} texts need one row of attributes each, not {self.attributes.height}")
        for name, labels in self.labels.items():
            if len(labels.probabilities) != len(self.texts):
                raise DataError(f"{len(self.texts)} texts need one row of {name!r} each, not {len(labels.probabilities)}")

    def shuffled(self, order: Tensor) -> Texts:
        """These texts with the vectors and labels of rows `order` `[n]`."""
        vectors = None if self.vectors is None else self.vectors[order]
        labels = {name: replace(one, probabilities=one.probabilities[order]) for name, one in self.labels.items()}
        return replace(self, vectors=vectors, labels=labels)

    def to(self, device: torch.device | str) -> Texts:
        """The same texts with every tensor on `device`."""
        vectors = None if self.vectors is None else self.vectors.to(device)
        labels = {name: replace(one, probabilities=one.probabilities.to(device)) for name, one in self.labels.items()}
        return replace(self, vectors=vectors, labels=labels)


@dataclass(frozen=True)
class Users:
    """The P users in the data. A user's number is their row here.

    ids: P strings.   profiles: a text about each, or None.   attributes: one row per user, or None.
    """

    ids: list[str]
    profiles: Texts | None = None
    attributes: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.profiles is not None and len(self.profiles.texts) != len(self.ids):
            raise DataError(f"{len(self.ids)} users need one profile each, not {len(self.profiles.texts)}")
        if self.attributes is not None and self.attributes.height != len(self.ids):
            raise DataError(f"{len(self.ids)} users need one row of attributes each, not {self.attributes.height}")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Interactions:
    """Logged interactions, one per row of `frame`.

    frame: its columns are `user` and `item` (int64 numbers, rows of `Users` and `Catalog`), `timestamp` (int64, unix seconds), and one
        float column for each name in `feedback`; optional ones are below.
    feedback: names of what users did with the items, such as rating (NaN: not known).

    Optional columns:

    - `text`: what the user wrote.
    - `session`: int64, the number of the session that the interaction belongs to; different users have different sessions.
    - `position`: int64, the item's place in the slate that was shown, from 0.
    - `propensity`: float64 in (0, 1], the probability with which the logging policy showed the item.

    features: `[R, X]` float32, raw numbers that were known before the interaction in each row, or None.
    source: the file they are from, for messages.
    choices: what could have been shown in each row, where it was not every item, for logs of decisions with `propensity`; or None.
    """

    REQUIRED: ClassVar[tuple[str, ...]] = ("user", "item", "timestamp")

    frame: pl.DataFrame
    feedback: tuple[str, ...]
    source: str = ""
    features: Tensor | None = None
    choices: LoggedChoices | None = None

    def __post_init__(self) -> None:
        for name, rows in (("features", self.features), ("choices", self.choices)):
            if rows is not None and len(rows) != self.frame.height:
                raise DataError(f"{self.frame.height} interactions need one row of {name} each, not {len(rows)}")
        missing = [name for name in (*self.REQUIRED, *self.feedback) if name not in self.frame.columns]
        if missing:
            raise DataError(f"interactions lack the column {missing[0]!r}; they have the columns {', '.join(self.frame.columns)}")

    def __len__(self) -> int:
        return self.frame.height

    def where(self, kept: np.ndarray) -> Interactions:
        """The interactions in the rows where `kept` `[R]` is true."""
        rows = torch.from_numpy(kept)
        return replace(
            self,
            frame=self.frame.filter(pl.Series(kept)),
            features=None if self.features is None else self.features[rows],
            choices=None if self.choices is None else self.choices.rows(rows),
        )


class Data(NamedTuple):
    """What a dataset loads. Nobody may write into its tensors, as jobs of a sweep share them; change a copy.

    catalog: the M items.   users: the P users, or None: anonymous.   interactions: the log, or None: there is none.
    contexts: the texts that a visit may have (`Observation.context`), or None.
    ratings: `[P, M]` float32, every user's rating of every item; NaN where one is not known.
    held_out: `[P]` bool, the users held out for evaluation, if the dataset has a split: nothing else here is computed from their ratings.
    """

    catalog: Catalog
    users: Users | None = None
    interactions: Interactions | None = None
    contexts: Texts | None = None
    ratings: Tensor | None = None
    held_out: Tensor | None = None

    @property
    def texts(self) -> dict[Role, Texts]:
        """All texts that an encoder reads, by role: items, and users and contexts if they have texts."""
        profiles = None if self.users is None else self.users.profiles
        found: dict[Role, Texts | None] = {"item": Texts(self.catalog.texts, self.catalog.text_vectors), "user": profiles}
        found["context"] = self.contexts
        return {role: texts for role, texts in found.items() if texts is not None}

    def with_texts(self, texts: Mapping[Role, Texts]) -> Data:
        """The same data with these profiles and contexts, and these vectors of the items' texts; roles not given stay the same."""
        items = texts.get("item")
        return self._replace(
            catalog=self.catalog if items is None else replace(self.catalog, text_vectors=items.vectors),
            users=None if self.users is None else replace(self.users, profiles=texts.get("user", self.users.profiles)),
            contexts=texts.get("context", self.contexts),
        )

    def with_questions(self, questions: Mapping[str, str]) -> Data:
        """The data with questions after the items; see `Catalog.with_questions`. Nobody has rated them."""
        ratings = self.ratings
        if ratings is not None:
            ratings = torch.cat([ratings, ratings.new_full((len(ratings), len(questions)), torch.nan)], dim=1)
        return self._replace(catalog=self.catalog.with_questions(questions), ratings=ratings)

    def without_questions(self) -> Data:
        """The data with the items alone; the data itself if there are no questions."""
        catalog = self.catalog
        if not catalog.num_questions:
            return self
        ratings = None if self.ratings is None else self.ratings[:, : catalog.first_question]
        return self._replace(catalog=catalog.without_questions(), ratings=ratings)

    def to(self, device: torch.device | str) -> Data:
        """The same data with every tensor on `device`."""
        moved = self.with_texts({role: texts.to(device) for role, texts in self.texts.items()})
        return moved._replace(
            catalog=replace(moved.catalog, popularity=self.catalog.popularity.to(device)),
            ratings=None if self.ratings is None else self.ratings.to(device),
            held_out=None if self.held_out is None else self.held_out.to(device),
        )
