"""Options of the environment language_users. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option, seed_option
from recframe.llm.config import ChatConfig
from recframe_plugins.environments.simulation.config import QuestionConfig, SessionConfig

TOKENS_BESIDES, TOKENS_OF_ITEM = 40, 24
"""The length of an answer as JSON: besides the items, and of each item."""


def _long_answers() -> ChatConfig:
    """A language model that may answer about ten items."""
    return ChatConfig(max_tokens=320)


@dataclass
class PersonaConfig:
    """Options of who the people are."""

    personas: str | None = option(
        None,
        'file of the people: JSON lines, each {"persona": TEXT} or {"persona": TEXT, "user": ID of a user of the dataset}; '
        "null: the users of the dataset, described by their profiles and by what they rated high and low",
        exists=True,
    )
    persona_items: int = option(6, "items that a persona names of those that were rated high, and as many of those rated low", ge=0)
    feedback: str = option("rating", "logged feedback column that holds the ratings; a log without it tells only what was chosen")
    like_from: float | None = option(None, "rating from which on an item counts as liked; null: the mean of all ratings")
    world_seed: int = seed_option(0, "seed of the evaluation split of the people, and of the ratings that the report card asks about")
    evaluation_share: float = option(0.2, "share of the people who appear only in evaluation", gt=0.0, lt=1.0)


@dataclass
class CardConfig:
    """Options of the report card: real ratings that the model is asked about, without having been told them."""

    card_people: int = option(40, "people of whom the report card holds out ratings; 0: no report card", ge=0)
    card_ratings: int = option(6, "ratings held out of each of them, rounded up to whole slates", ge=1)
    card_factors: int = option(8, "length of the factors of the matrix factorization that the report card compares with", ge=0)


@dataclass
class LanguageUsersConfig(QuestionConfig, CardConfig, PersonaConfig, SessionConfig):
    """People whom a language model plays: it reads who they are and what is shown to them, and answers for them.

    How well it knows them is measured on held-out real ratings before anything is trained (the report card).
    """

    num_users: int = option(16, "users simulated at once in training (N); each costs a question in every step", ge=1)
    max_steps: int = option(5, "time limit of a session in steps (slates shown)", ge=1)
    protocol: str = option(
        "no_repetition",
        "free: items may be repeated; no_repetition: each item once per session; fixed_length: also, and no user leaves before max_steps",
        choices=["free", "no_repetition", "fixed_length"],
    )
    asking: str | None = option(
        None,
        "answers: one question a slate, answered as JSON with a click and a rating for each item; probabilities: one question an item, and "
        "clicks are drawn from the model's probabilities of five words (for models that write no reliable JSON); null: answers for an "
        "endpoint, probabilities for a model that is loaded here",
        choices=["answers", "probabilities"],
    )
    item_words: int = option(25, "words of an item's text that people are shown", ge=1)
    memory_items: int = option(10, "items shown earlier in the session that people remember, with their clicks and ratings; 0: none", ge=0)
    says: bool = option(
        False, "in each step people say one of a fixed list of sentences, which becomes the context text of the observation"
    )
    topic_attribute: str | None = option(
        None, "catalogue attribute with values, or lists of values, that people may ask for, or be asked about; null: none"
    )
    num_topics: int = option(8, "how many of its most frequent values they may ask for, or be asked about", ge=1)
    llm: ChatConfig = option(default_factory=_long_answers, help="the language model, and what it may cost")

    @property
    def in_json(self) -> bool:
        """Whether the model answers in JSON: as `asking` says, or else if it is behind an endpoint."""
        return self.asking == "answers" if self.asking is not None else self.llm.base_url is not None

    def contradictions(self) -> Iterator[str]:
        """An attribute that nothing reads, answers that are cut off, and the language model's own rules."""
        needed = TOKENS_BESIDES + TOKENS_OF_ITEM * self.slate_size
        if self.in_json and self.llm.max_tokens < needed:
            yield (
                f"environment.llm.max_tokens is {self.llm.max_tokens}, but an answer about environment.slate_size={self.slate_size} items "
                f"has some {needed} tokens, and would be cut off; use {needed} or more"
            )
        yield from self.llm.problems("environment.llm")
        if self.topic_attribute is not None and not (self.says or self.questions):
            yield (
                "environment.topic_attribute has no meaning without environment.says=true or environment.questions=[attributes]; set one "
                "of them, or leave the attribute out"
            )
        if self.topic_attribute is None and self.questions:
            yield (
                f"environment.questions=[{','.join(self.questions)}] are about the values of environment.topic_attribute, which is null; "
                "set it to an attribute of the items, such as genres"
            )
