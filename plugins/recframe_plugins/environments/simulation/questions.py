"""Questions that the users of a simulator answer: their words, and the texts of the answers.

A question about an attribute ("Do you feel like jazz?") is answered with yes or no: the signal `answer` is 1 or -1, and 0 in all other
steps. A free question ("What would you like now?") is answered in words: the text of the next observation, which stays until the user says
something else. Before that, users say nothing, which is a text, too (`SILENCE`), as every observation has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl
import torch

from recframe.interfaces import Data, DataError, Texts

ANSWER = "answer"
"""The signal of yes and no."""
SILENCE = "(says nothing)"
FREE = "What would you like now?"
ABOUT = "Do you feel like {value}?"
PREFIX = "question:"
"""Of the id of a question about a value."""
FREE_ID = "question"
"""Without the prefix, so that no value can have it."""


def needs_texts(says: bool) -> str:
    """Which option makes people say texts, for messages: `says`, or else the free question."""
    return "environment.says=true" if says else "the free question of environment.questions"


class QuestionList(NamedTuple):
    """The questions of a world, in the order of their rows.

    values: those of the attribute that one may ask about.   free: whether there is the free question, which comes last.
    """

    values: Sequence[str] = ()
    free: bool = False

    def __len__(self) -> int:
        return len(self.values) + self.free

    @property
    def texts(self) -> dict[str, str]:
        """The text of each question by its id, as `Data.with_questions` takes them."""
        about = {f"{PREFIX}{value}": ABOUT.format(value=value) for value in self.values}
        return about | ({FREE_ID: FREE} if self.free else {})

    def added_to(self, data: Data) -> Data:
        """The data with these questions, and, for the free one, with silence after the texts that users may say.

        Raises
        ------
        DataError: an item has the id of a question.
        """
        if not len(self):
            return data
        data = data.with_questions(self.texts)
        return data._replace(contexts=with_silence(data.contexts)) if self.free else data

    def require_in(self, data: Data, environment: str) -> None:
        """Check that the data has these questions, and no others.

        Raises
        ------
        DataError: it does not: it is not that of `Environment.training_data`.
        """
        catalog = data.catalog
        ids = catalog.ids[catalog.first_question :]
        if ids != list(self.texts) or len(ids) != len(self):
            raise DataError(
                f"environment={environment} asks {len(self)} questions, which must be the last rows of the catalogue, and this one has "
                f"{len(ids)}; build it on the data of its training_data(config, data)"
            )
        if self.free and (data.contexts is None or data.contexts.texts[-1] != SILENCE):
            raise DataError(
                f"environment={environment} has a free question, and its texts must end with {SILENCE!r}; build it on the data of its "
                "training_data(config, data)"
            )


def with_silence(texts: Texts | None) -> Texts:
    """The texts with `SILENCE` at their end, whose attributes are not known. Its vector is of zeros until it is encoded.

    Raises
    ------
    DataError: there are no texts, so that nobody could answer.
    """
    if texts is None:
        raise DataError("environment.questions has the free question, but the dataset has no texts that people may say (utterances)")
    attributes, vectors = texts.attributes, texts.vectors
    if vectors is not None:
        vectors = torch.cat([vectors, vectors.new_zeros(1, vectors.shape[1])])
    if attributes is not None:
        attributes = pl.concat([attributes, pl.DataFrame({name: [None] for name in attributes.columns})], how="vertical_relaxed")
    return replace(texts, texts=[*texts.texts, SILENCE], vectors=vectors, attributes=attributes, labels={})
