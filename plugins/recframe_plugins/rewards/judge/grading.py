"""The questions of a judge, and what their answers are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Data
from recframe.llm import Chat, Prompt, Schema
from recframe.llm.questions import described_item, mark_of
from recframe.llm.unusable import UnusableAnswers, undecided
from recframe_plugins.rewards.judge.config import JudgeConfig

ROLE = "You judge recommendations. You are strict and fair: you give the whole range of grades."
NEUTRAL = 0.5
"""What an answer that cannot be used is worth."""


class Case(NamedTuple):
    """What is judged: what is recommended to one person.

    profile: a text about the person, or None.   history: what was shown before, each with what the person did with it, in words.
    items: that are recommended.
    """

    profile: str | None
    history: Sequence[str]
    items: Sequence[int]


class Grading:
    """Grades cases, from 0 to 1. An answer that cannot be used is counted, and worth `NEUTRAL`."""

    def __init__(self, config: JudgeConfig, data: Data, chat: Chat) -> None:
        self.config = config
        self.chat = chat
        titles, texts = data.catalog.titles, data.catalog.texts
        self.shown = [described_item(title, text, config.item_words) for title, text in zip(titles, texts, strict=True)]
        self.unusable = UnusableAnswers(f"such a recommendation is worth {NEUTRAL}")

    def __call__(self, cases: Sequence[Case]) -> Tensor:
        """The worth of each case, `[n]` float32 on the CPU.

        Raises
        ------
        BudgetExhausted: the questions would cost more than is allowed.
        """
        return self.graded(cases)[0]

    def graded(self, cases: Sequence[Case]) -> tuple[Tensor, Tensor]:
        """The worth of each case, and whether the answer could be used, `[n]` bool; see `__call__`."""
        questions = [self.question(case) for case in cases]
        return self._answered(questions) if self.config.in_json else self._expected(questions)

    def question(self, case: Case) -> str:
        """The question about a case, without how to answer it."""
        lines = [f"Rubric: {self.config.rubric}"]
        lines += [] if case.profile is None else [f"The person: {' '.join(case.profile.split())}"]
        lines.append(f"Before: {'; '.join(case.history)}." if case.history else "Nothing is known of what they did before.")
        if len(case.items) == 1:
            lines.append(f"Recommended now: {self.shown[case.items[0]]}")
        else:
            listed = "\n".join(f"{place}. {self.shown[item]}" for place, item in enumerate(case.items, 1))
            lines.append(f"Recommended now, together:\n{listed}")
        return "\n".join(lines)

    def _answered(self, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        highest = self.config.grades
        marks = [mark_of(question) for question in questions]
        prompts = [Prompt(ROLE, f"{question}\n{self._wanted(mark)}") for question, mark in zip(questions, marks, strict=True)]
        grade = {"type": "integer", "minimum": 1, "maximum": highest}
        properties = {"mark": {"type": "string"}, "grade": grade}
        schema = Schema({"type": "object", "properties": properties, "required": list(properties)})
        answers = self.chat.ask(prompts, schema)
        read = [_grade(one.value, one.problem, mark) for one, mark in zip(answers, marks, strict=True)]
        self.unusable.add(len(read), [one for one in read if isinstance(one, str)])
        worth = [NEUTRAL if isinstance(one, str) else (one - 1) / (highest - 1) for one in read]
        return torch.tensor(worth), torch.tensor([not isinstance(one, str) for one in read])

    def _expected(self, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        highest = self.config.grades
        asked = [Prompt(ROLE, f"{question}\n{self._scale()} Answer with the number alone.") for question in questions]
        chosen = self.chat.choose(asked, [str(grade) for grade in range(1, highest + 1)]).float().cpu()
        even = undecided(chosen)
        self.unusable.add(len(even), ["it begins with no grade"] * int(even.sum()))
        return (chosen @ torch.linspace(0.0, 1.0, highest)).masked_fill(even, NEUTRAL), ~even

    def _scale(self) -> str:
        return f"Which grade does the recommendation deserve, from 1 (worst) to {self.config.grades} (best)?"

    def _wanted(self, mark: str) -> str:
        return f'{self._scale()} Your answer has "mark": "{mark}".'


def _grade(value: Any, problem: str | None, mark: str) -> int | str:
    """The grade of an answer, or why it cannot be used."""
    if value is None:
        return problem or "it is of another form"
    return int(value["grade"]) if value["mark"] == mark else "it answers another question (its mark is another)"
