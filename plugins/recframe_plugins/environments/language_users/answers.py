"""People who answer as JSON: one question for a whole slate, and the check that each answer is to its own question.

An answer that cannot be used is counted, and the person then clicks nothing, gives the mean rating of the log, stays, and says "That was
all right.". A question carries a mark, a hash of its text, which its answer must repeat: so an answer that was meant for another person, or
for another slate, is never taken for this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.llm import Prompt, Schema
from recframe.llm.questions import mark_of
from recframe.report_cards import RatingScale
from recframe_plugins.environments.language_users.opinions import Afterwards, Opinions, Replies, Respondents
from recframe_plugins.environments.language_users.sentences import NOT_KNOWN
from recframe_plugins.environments.language_users.visits import ROLE, Visit


class PersonAnswer(NamedTuple):
    """One person's answer: a click and a rating for each item, whether they stay, and the number of what they say."""

    clicks: list[bool]
    ratings: list[float]
    stays: bool
    says: int


class AnsweringPeople(Respondents):
    """People whose answers are JSON; see the module docstring."""

    def opinions(self, visits: Sequence[Visit]) -> Opinions:
        """See `Respondents.opinions`; the answers say all."""
        size = len(visits[0].slate)
        texts = [self.about(visit) for visit in visits]
        marks = [mark_of(text) for text in texts]
        prompts = [Prompt(ROLE, f"{text}\n{self._wanted(mark)}") for text, mark in zip(texts, marks, strict=True)]
        answers = self.chat.ask(prompts, answer_schema(size, self.scale, self.sentences))
        read = [read_answer(answer.value, answer.problem, mark) for answer, mark in zip(answers, marks, strict=True)]
        problems = [one for one in read if isinstance(one, str)]
        self.unusable.add(len(read), problems)
        neutral = PersonAnswer([False] * size, [self.scale.mean] * size, True, NOT_KNOWN)
        given = [neutral if isinstance(one, str) else one for one in read]
        return Opinions(
            click=torch.tensor([one.clicks for one in given], dtype=torch.float32),
            rating=torch.tensor([one.ratings for one in given], dtype=torch.float32),
            usable=torch.tensor([not isinstance(one, str) for one in read]),
            afterwards=self._afterwards(given),
        )

    def afterwards(self, visits: Sequence[Visit], opinions: Opinions, clicks: Tensor) -> Afterwards:
        """See `Respondents.afterwards`; the same answers say it."""
        assert opinions.afterwards is not None
        return opinions.afterwards

    def replies(self, visits: Sequence[Visit], options: Sequence[str]) -> Replies:
        """See `Respondents.replies`."""
        texts = [self.about(visit) for visit in visits]
        marks = [mark_of(text) for text in texts]
        listed = " ".join(f"{place}: {option}" for place, option in enumerate(options))
        wanted = f"What do you reply? Give its number: {listed} Do you then stay (stays is true), or leave (stays is false)?"
        prompts = [Prompt(ROLE, f'{text}\n{wanted}\nYour answer has "mark": "{mark}".') for text, mark in zip(texts, marks, strict=True)]
        answers = self.chat.ask(prompts, reply_schema(len(options)))
        read = [read_reply(answer.value, answer.problem, mark) for answer, mark in zip(answers, marks, strict=True)]
        self.unusable_replies.add(len(read), [one for one in read if isinstance(one, str)])
        given = [(0, True) if isinstance(one, str) else one for one in read]
        return Replies(
            F.one_hot(torch.tensor([reply for reply, _ in given]), len(options)).float(),
            torch.tensor([0.0 if stays else 1.0 for _, stays in given]),
            torch.tensor([not isinstance(one, str) for one in read]),
        )

    def _afterwards(self, given: Sequence[PersonAnswer]) -> Afterwards:
        says = None
        if self.sentences is not None:
            says = F.one_hot(torch.tensor([one.says for one in given]), len(self.sentences)).float()
        return Afterwards(torch.tensor([0.0 if one.stays else 1.0 for one in given]), says)

    def _wanted(self, mark: str) -> str:
        """What is to be answered. It has no example, whose values a model would take over; the schema tells the form."""
        low, high = self.scale.shown(self.scale.low), self.scale.shown(self.scale.high)
        lines = [
            f"For each item, in order: would you click on it, and how would you rate it from {low} (worst) to {high} (best)? "
            "Do you stay and look on (stays is true), or leave (stays is false)?"
        ]
        if self.sentences is not None:
            listed = " ".join(f"{place}: {sentence}" for place, sentence in enumerate(self.sentences))
            lines.append(f"Say one of these, by its number: {listed}")
        return "\n".join([*lines, f'Your answer has "mark": "{mark}".'])


def answer_schema(size: int, scale: RatingScale, sentences: Sequence[str] | None) -> Schema:
    """The form of an answer about a slate of `size` items."""
    rating = {"type": "number", "minimum": scale.low, "maximum": scale.high}
    item = {"type": "object", "properties": {"click": {"type": "boolean"}, "rating": rating}, "required": ["click", "rating"]}
    properties: dict[str, Any] = {
        "mark": {"type": "string"},
        "items": {"type": "array", "items": item | {"additionalProperties": False}, "minItems": size, "maxItems": size},
        "stays": {"type": "boolean"},
    }
    if sentences is not None:
        properties["says"] = {"type": "integer", "minimum": 0, "maximum": len(sentences) - 1}
    return Schema({"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False})


def read_answer(value: Any, problem: str | None, mark: str) -> PersonAnswer | str:
    """The answer in a value of the form of `answer_schema`, or why it cannot be used; `value` is None if it is of another form."""
    if value is None:
        return problem or "it is of another form"
    if value["mark"] != mark:
        return "it answers another question (its mark is another)"
    items = value["items"]
    ratings = [float(item["rating"]) for item in items]
    return PersonAnswer([item["click"] for item in items], ratings, value["stays"], int(value.get("says", NOT_KNOWN)))


def reply_schema(count: int) -> Schema:
    """The form of a reply to a question, one of `count`."""
    properties = {
        "mark": {"type": "string"},
        "reply": {"type": "integer", "minimum": 0, "maximum": count - 1},
        "stays": {"type": "boolean"},
    }
    return Schema({"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False})


def read_reply(value: Any, problem: str | None, mark: str) -> tuple[int, bool] | str:
    """The number of the reply in a value of the form of `reply_schema`, and whether the person stays; or why it cannot be used."""
    if value is None:
        return problem or "it is of another form"
    return (int(value["reply"]), value["stays"]) if value["mark"] == mark else "it answers another question (its mark is another)"
