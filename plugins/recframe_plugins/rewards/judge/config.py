"""Options of the reward judge. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option, seed_option
from recframe.llm.config import ChatConfig


@dataclass
class JudgeConfig:
    """The grade that a language model gives by a rubric, from 0 to 1."""

    rubric: str = option(
        "A good recommendation is what this person, and not just anybody, will like; it is near to what they liked, and not to what they "
        "disliked.",
        "what a recommendation is graded by",
    )
    judges: str = option(
        "items",
        "items: each item of a slate has a grade; slates: the slate as a whole has one, which its items share",
        choices=["items", "slates"],
    )
    grades: int = option(5, "grades from 1, worth 0, to this one, worth 1", ge=2, le=9)
    asking: str | None = option(
        None,
        "answers: a grade as JSON; probabilities: the expected one under the model's probabilities (for models that write no good JSON); "
        "null: answers for an endpoint, probabilities for a model that is loaded here",
        choices=["answers", "probabilities"],
    )
    item_words: int = option(25, "words of an item's text that the judge reads", ge=1)
    history: int = option(10, "last items shown to the person, with what was done with them, that the judge reads", ge=0)
    feedback: str = option("rating", "logged feedback column with the real ratings that the judge is compared with")
    like_from: float | None = option(None, "rating from which on an item counts as liked there; null: the mean of all ratings")
    card_people: int = option(40, "people whose real ratings the judge is compared with before training; 0: no comparison", ge=0)
    card_ratings: int = option(6, "real ratings of each of them, of which the judge is not told", ge=1)
    card_seed: int = seed_option(0, "seed of the draw of these people and ratings")
    llm: ChatConfig = option(default_factory=ChatConfig, help="the language model, and what it may cost")

    @property
    def in_json(self) -> bool:
        """Whether the model answers in JSON: as `asking` says, or else if it is behind an endpoint."""
        return self.asking == "answers" if self.asking is not None else self.llm.base_url is not None

    def contradictions(self) -> Iterator[str]:
        """The language model's own rules."""
        yield from self.llm.problems("reward.judge.llm")
