"""Language users: people whom a language model plays.

A session is of one person, a user of the dataset or a line of a file. In each step the model reads the persona (profile, what was rated
high and low), what the person saw and did earlier in the session, what they said last, and the slate in words. It answers with a click and
a rating for each item, whether the person stays, and what they say (`answers.py`), or with the probabilities of these (`probabilities.py`):

    click   ~ Bernoulli(the model's probability)       leave  ~ Bernoulli(the model's probability)
    rating  the answer's, or the expected one          says   one of a fixed list of sentences (`sentences.py`), drawn

With answers, these probabilities are 0 and 1. Nothing else is random: the same people who see the same slates answer the same, since the
model's answers are cached by the texts of the questions; with another model, or another temperature, other people answer.

The texts of N questions are put together one after the other in each step. That is a thousandth of what the model needs to read them.

The environment does not know the true response to every item (`truth`): it would take a question for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from recframe.interfaces import PAD, Data, DataError, Split
from recframe.llm import Chat
from recframe.llm.shared_chats import chat_for
from recframe.llm.unusable import UnusableAnswers
from recframe.report_cards import USUAL_SCALE, rating_scale, warn_without_ratings
from recframe_plugins.environments.language_users.answers import AnsweringPeople
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.opinions import Respondents
from recframe_plugins.environments.language_users.people import Population, population
from recframe_plugins.environments.language_users.personas import Personas
from recframe_plugins.environments.language_users.probabilities import ProbablePeople
from recframe_plugins.environments.language_users.report_card import card_caveats, ratings_for_card, report_card
from recframe_plugins.environments.language_users.sentences import GREETED, sentences
from recframe_plugins.environments.language_users.visits import Visit, Wording, remembered_of
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction, people_of_split


class LanguageUsers(SimulatedSessions):
    """The people of a split, played by a language model; see the module docstring.

    `Observation.user` is the row of the user in the data; people from a file who are none of them are anonymous.

    Parameters
    ----------
    chat: the access to the language model; by default that of `config.llm`, which all environments of a process with one config share.

    Raises
    ------
    DataError: nothing is known of any person (see `population`), the catalogue lacks `topic_attribute`, `data.contexts` are not the
        sentences that people may say (`training_data` adds them), or there are too few items or people.
    """

    config: LanguageUsersConfig

    def __init__(
        self,
        config: LanguageUsersConfig,
        data: Data,
        *,
        num_users: int,
        history_length: int,
        split: Split,
        device: torch.device | str,
        chat: Chat | None = None,
    ) -> None:
        everybody = population(config, data)
        super().__init__(
            config,
            num_items=len(data.catalog),
            num_users=num_users,
            history_length=history_length,
            signals=("click", "rating"),
            device=device,
            has_users=everybody.known,
            has_context=config.says,
            protocol=config.protocol,
        )
        self.people = _of_split(config, everybody, split).to(self.device)
        self.sentences = _sentences_of(config, data) if config.says else None
        self.chat = chat_for(config.llm, "environment.llm") if chat is None else chat
        self._data, self._everybody = data, everybody
        self._ratings = rating_scale(data.interactions, config.feedback, config.like_from)
        self.scale = self._ratings or USUAL_SCALE
        self.wording = Wording(data, self.scale, config.item_words)
        neutral = f"such a person clicks nothing, rates at {self.scale.mean:.2f} and stays"
        anything = "of such an item, a person thinks anything with the same probability; who does not say that they leave stays"
        instead = neutral if config.asking == "answers" else anything
        self.unusable = UnusableAnswers(instead)
        frame = None if data.interactions is None else data.interactions.frame
        self.respondents = self._respondents(Personas(config, data, everybody, frame, self._ratings), self.unusable)
        self._card: dict[str, float] | None = None
        if config.memory_items:
            shape = (num_users, config.memory_items)
            self._start["seen"] = torch.full(shape, PAD, dtype=torch.int64, device=self.device)
            self._start["seen_click"] = torch.zeros(shape, device=self.device)
            self._start["seen_rating"] = torch.zeros(shape, device=self.device)

    def _respondents(self, personas: Personas, unusable: UnusableAnswers) -> Respondents:
        said = None if self.sentences is None else self.sentences
        if self.config.asking == "answers":
            return AnsweringPeople(self.chat, self.wording, personas, self.scale, said, unusable)
        leaving = self.protocol != "fixed_length"
        return ProbablePeople(self.chat, self.wording, personas, self.scale, said, unusable, asks_leaving=leaving)

    @classmethod
    def training_data(cls, config: LanguageUsersConfig, data: Data) -> Data:
        """The data with the popularity of items among the people of the training split, and with the sentences that people may say."""
        warn_without_ratings(data.interactions, config.feedback, "environment.feedback")
        held_out = cls.held_out_users(config, data)
        if data.interactions is not None and held_out is not None:
            users, items = (torch.tensor(data.interactions.frame[name].to_numpy()) for name in ("user", "item"))
            counts = torch.bincount(items[~torch.isin(users, held_out)], minlength=len(data.catalog))
            data = data._replace(catalog=replace(data.catalog, popularity=counts.float()))
        return data._replace(contexts=sentences(data, config.topic_attribute, config.num_topics)) if config.says else data

    @classmethod
    def held_out_users(cls, config: LanguageUsersConfig, data: Data) -> Tensor | None:
        """The people of the evaluation split, if they are users of the dataset."""
        everybody = population(config, data)
        return _of_split(config, everybody, "evaluation") if everybody.known else None

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`), who greet."""
        person = self.drawn_from(self.people)
        arrived = {"person": person, "user": person if self._everybody.known else torch.zeros_like(person)}
        return arrived | ({"context": torch.full_like(person, GREETED)} if self.spec.has_context else {})

    def draws(self) -> dict[str, Tensor]:
        """Uniform numbers for the clicks, for leaving and for what is said."""
        return {"uniforms": self.uniforms(self.spec.slate_size + 2)}

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Ask the language model about all N slates at once.

        Raises
        ------
        BudgetExhausted: the questions would cost more than `config.llm` allows.
        """
        visits, uniforms = self._visits(slate), draws["uniforms"]
        opinions = self.respondents.opinions(visits)
        clicks = (uniforms[:, :-2] < opinions.click.to(self.device)).float()
        ratings = opinions.rating.to(self.device)
        after = self.respondents.afterwards(visits, opinions, clicks)
        changed = self._remembering(slate, clicks, ratings)
        if after.says is not None:
            limits = after.says.to(self.device).cumsum(dim=1)
            # the last sum may be rounded to below 1
            changed["context"] = (uniforms[:, -1:] >= limits).sum(dim=1).clamp(max=limits.shape[1] - 1)
        return UserReaction({"click": clicks, "rating": ratings}, uniforms[:, -2] < after.leave.to(self.device), changed)

    def report(self) -> dict[str, float]:
        """The report card (`report_card.py`); empty if the data has no ratings of these people, or `card_people` is 0. It is asked once.

        Raises
        ------
        BudgetExhausted: see `respond`.
        """
        if self._card is None:
            self._card = self._measured()
        return dict(self._card)

    def caveats(self) -> tuple[str, ...]:
        """What the report card says in words, or that there is none."""
        card = self.report()
        if card:
            return tuple(card_caveats(card, self.unusable.instead))
        why = "environment.card_people is 0" if not self.config.card_people else "the data has too few real ratings of these people"
        return (f"how well the language model knows these people was not measured: {why}",)

    def _measured(self) -> dict[str, float]:
        asked = ratings_for_card(self.config, self._data, self._everybody, self._ratings)
        if asked is None:
            return {}
        unusable = UnusableAnswers(self.unusable.instead)
        personas = Personas(self.config, self._data, self._everybody, asked.known, self.scale)
        return report_card(self.config, self._data, asked, self.scale, self._respondents(personas, unusable))

    def _visits(self, slate: Tensor) -> list[Visit]:
        state = {name: value.tolist() for name, value in self.state.items() if name.startswith("seen") or name in ("person", "context")}
        nothing: list[list[float]] = [[]] * len(slate)
        seen = zip(*(state.get(name, nothing) for name in ("seen", "seen_click", "seen_rating")), strict=True)
        words = [None] * len(slate) if self.sentences is None else [self.sentences[row] for row in state["context"]]
        rows = zip(state["person"], slate.tolist(), seen, words, strict=True)
        return [Visit(person, shown, remembered_of(*memory), said) for person, shown, memory, said in rows]

    def _remembering(self, slate: Tensor, clicks: Tensor, ratings: Tensor) -> dict[str, Tensor]:
        """The memory with the slate at its end."""
        new = {"seen": slate, "seen_click": clicks, "seen_rating": ratings} if self.config.memory_items else {}
        return {name: torch.cat([self.state[name], value], dim=1)[:, -self.config.memory_items :] for name, value in new.items()}


def _of_split(config: LanguageUsersConfig, everybody: Population, split: Split) -> Tensor:
    return people_of_split(everybody.numbers, split, config.evaluation_share, config.world_seed)


def _sentences_of(config: LanguageUsersConfig, data: Data) -> list[str]:
    """The sentences that may be said, which are the texts of the data."""
    texts = sentences(data, config.topic_attribute, config.num_topics).texts
    if data.contexts is None or data.contexts.texts != texts:
        raise DataError("environment.says=true needs its sentences as Data.contexts; build it on LanguageUsers.training_data(config, data)")
    return texts
