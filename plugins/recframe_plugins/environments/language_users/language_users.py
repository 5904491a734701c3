"""Language users: people whom a language model plays.

A session is of one person, a user of the dataset or a line of a file. In each step the model reads the persona (profile, what was rated
high and low), what the person saw and did earlier in the session, what they said last, and the slate in words. It answers with a click and
a rating for each item, whether the person stays, and what they say (`answers.py`), or with the probabilities of these (`probabilities.py`):

    click   ~ Bernoulli(the model's probability)       leave  ~ Bernoulli(the model's probability)
    rating  the answer's, or the expected one          says   one of a fixed list of sentences (`sentences.py`), drawn

Where questions may be asked (`environment.questions`; `simulation/questions.py`), a person who is asked is shown nothing. The model replies
for them with yes or no, or, to the free question, with the sentence of a topic that they would like, and says whether they stay:

    answer  1 or -1 ~ the model's probability of yes       text  one of the sentences of topics, drawn, until they are asked again

A reply that cannot be used is 0, and says nothing; the person stays.

With answers, these probabilities are 0 and 1. Nothing else is random: the same people who see the same slates answer the same, since the
model's answers are cached by the texts of the questions; with another model, or another temperature, other people answer.

The texts of N questions are put together one after the other in each step. That is a thousandth of what the model needs to read them.

The environment does not know the true response to every item (`truth`): it would take a question for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Data, DataError, Split
from recframe.llm import Chat
from recframe.llm.shared_chats import chat_for
from recframe.llm.unusable import UnusableAnswers
from recframe.report_cards import USUAL_SCALE, rating_scale, warn_without_ratings
from recframe_plugins.environments.language_users.answers import AnsweringPeople
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.opinions import Respondents
from recframe_plugins.environments.language_users.outcomes import VisitOutcomes, asked_together, drawn_places
from recframe_plugins.environments.language_users.people import Population, population
from recframe_plugins.environments.language_users.personas import Personas
from recframe_plugins.environments.language_users.probabilities import ProbablePeople
from recframe_plugins.environments.language_users.report_card import card_caveats, ratings_for_card, report_card
from recframe_plugins.environments.language_users.sentences import GREETED, frequent_values, sentences, wishes
from recframe_plugins.environments.language_users.visits import Remembered, Visit, Wording, remembered_of
from recframe_plugins.environments.simulation.questions import ANSWER, SILENCE, QuestionList, needs_texts
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction, people_of_split

YES_NO = ("yes", "no")


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
        items = data.without_questions()
        self.questions = _questions(config, items)
        self.questions.require_in(data, "language_users")
        super().__init__(
            config,
            num_items=len(data.catalog),
            num_users=num_users,
            history_length=history_length,
            signals=("click", "rating", ANSWER) if len(self.questions) else ("click", "rating"),
            device=device,
            has_users=everybody.known,
            has_context=config.says or self.questions.free,
            protocol=config.protocol,
            num_questions=len(self.questions),
        )
        self.people = _of_split(config, everybody, split).to(self.device)
        self.sentences = _sentences_of(config, data) if self.spec.has_context else None
        self.wishes = wishes(items, config.topic_attribute, config.num_topics) if config.topic_attribute and self.questions.free else []
        self.chat = chat_for(config.llm, "environment.llm") if chat is None else chat
        self._data, self._everybody = items, everybody
        self._ratings = rating_scale(data.interactions, config.feedback, config.like_from)
        self.scale = self._ratings or USUAL_SCALE
        self.wording = Wording(data, self.scale, config.item_words)
        neutral = f"such a person clicks nothing, rates at {self.scale.mean:.2f} and stays"
        anything = "of such an item, a person thinks anything with the same probability; who does not say that they leave stays"
        instead = neutral if config.in_json else anything
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
        # without `says` they speak only when they are asked
        said = self.sentences if self.config.says else None
        if self.config.in_json:
            return AnsweringPeople(self.chat, self.wording, personas, self.scale, said, unusable)
        leaving = self.protocol != "fixed_length"
        return ProbablePeople(self.chat, self.wording, personas, self.scale, said, unusable, asks_leaving=leaving)

    @classmethod
    def training_data(cls, config: LanguageUsersConfig, data: Data) -> Data:
        """The data with the popularity of items among the people of the training split, and with the sentences that people may say, and
        the questions that they answer.
        """
        warn_without_ratings(data.interactions, config.feedback, "environment.feedback")
        held_out = cls.held_out_users(config, data)
        if data.interactions is not None and held_out is not None:
            users, items = (torch.tensor(data.interactions.frame[name].to_numpy()) for name in ("user", "item"))
            counts = torch.bincount(items[~torch.isin(users, held_out)], minlength=len(data.catalog))
            data = data._replace(catalog=replace(data.catalog, popularity=counts.float()))
        questions = _questions(config, data)
        if config.says or questions.free:
            data = data._replace(contexts=sentences(data, config.topic_attribute, config.num_topics))
        return questions.added_to(data)

    @classmethod
    def held_out_users(cls, config: LanguageUsersConfig, data: Data) -> Tensor | None:
        """The people of the evaluation split, if they are users of the dataset."""
        everybody = population(config, data)
        return _of_split(config, everybody, "evaluation") if everybody.known else None

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`), who greet, or say nothing until they are asked."""
        person = self.drawn_from(self.people)
        arrived = {"person": person, "user": person if self._everybody.known else torch.zeros_like(person)}
        if self.sentences is None:
            return arrived
        return arrived | {"context": torch.full_like(person, GREETED if self.config.says else len(self.sentences) - 1)}

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
        outcome = VisitOutcomes.of_nothing(slate, self.state.get("context", self.state["person"]))
        for rows, places in asked_together(slate, self.spec, self.questions.free):
            together = [visits[row] for row in rows.tolist()]
            if visits[int(rows[0])].question is None:
                self._shown_to(together, rows, places, uniforms[rows], outcome)
            else:
                self._asked_of(together, rows, int(slate[rows[0], 0]), uniforms[rows], outcome)
        changed = self._remembering(slate, outcome)
        if self.sentences is not None:
            changed["context"] = outcome.context
        signals = {"click": outcome.click, "rating": outcome.rating}
        if self.spec.num_questions:
            signals[ANSWER] = F.pad(outcome.answer[:, None], (0, slate.shape[1] - 1))
        return UserReaction(signals, outcome.leave, changed)

    def _shown_to(self, visits: list[Visit], rows: Tensor, places: Tensor, uniforms: Tensor, outcome: VisitOutcomes) -> None:
        """Ask what people think of what they are shown, and write it down."""
        opinions = self.respondents.opinions(visits)
        clicks = (uniforms[:, :-2].gather(1, places) < opinions.click.to(self.device)).float()
        after = self.respondents.afterwards(visits, opinions, clicks)
        outcome.click[rows[:, None], places], outcome.rating[rows[:, None], places] = clicks, opinions.rating.to(self.device)
        outcome.leave[rows] = uniforms[:, -2] < after.leave.to(self.device)
        if after.says is not None:
            outcome.context[rows] = drawn_places(after.says.to(self.device), uniforms[:, -1:])

    def _asked_of(self, visits: list[Visit], rows: Tensor, question: int, uniforms: Tensor, outcome: VisitOutcomes) -> None:
        """Ask what people reply, and write it down.   question: one of those that they are asked."""
        free = self.questions.free and question == self.spec.num_items - 1
        assert self.sentences is not None or not free
        options = [self.sentences[row] for row in self.wishes] if free and self.sentences is not None else list(YES_NO)
        replies = self.respondents.replies(visits, options)
        chosen = drawn_places(replies.chosen.to(self.device), uniforms[:, -1:])
        usable = replies.usable.to(self.device)
        outcome.leave[rows] = uniforms[:, -2] < replies.leave.to(self.device)
        if free:
            said = torch.tensor(self.wishes, device=self.device)[chosen]
            silence = len(self.sentences) - 1 if self.sentences is not None else 0
            outcome.context[rows] = torch.where(usable, said, silence)
        else:
            outcome.answer[rows] = torch.where(usable, 1.0 - 2.0 * chosen, 0.0)

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
        words: list[str | None] = [None] * len(slate)
        if self.sentences is not None:
            silent = len(self.sentences) - 1 if self.questions.free else None
            words = [None if row == silent else self.sentences[row] for row in state["context"]]
        rows = zip(state["person"], slate.tolist(), seen, words, strict=True)
        return [self._visit(person, shown, remembered_of(*memory), said) for person, shown, memory, said in rows]

    def _visit(self, person: int, slate: list[int], remembered: list[Remembered], words: str | None) -> Visit:
        """A visit with what is shown of a slate, or its question."""
        first = self.spec.first_question
        if slate[0] >= first:
            return Visit(person, (), remembered, words, self.wording.titles[slate[0]])
        return Visit(person, [item for item in slate if item < first], remembered, words)

    def _remembering(self, slate: Tensor, outcome: VisitOutcomes) -> dict[str, Tensor]:
        """The memory with the slate at its end, or with a question that was answered with yes or no."""
        if not self.config.memory_items:
            return {}
        clicks, shown = outcome.click, self.shown(slate)
        if shown is not None:
            answered = F.pad((outcome.answer != 0.0)[:, None], (0, slate.shape[1] - 1))
            clicks = torch.where(answered, (outcome.answer[:, None] > 0.0).float(), clicks)
            slate = slate.masked_fill(~(shown | answered), PAD)
        new = {"seen": slate, "seen_click": clicks, "seen_rating": outcome.rating}
        longer = {name: torch.cat([self.state[name], value], dim=1) for name, value in new.items()}
        if shown is not None:
            # what shows nothing takes no place
            order = (longer["seen"] != PAD).long().argsort(dim=1, stable=True)
            longer = {name: value.gather(1, order) for name, value in longer.items()}
        return {name: value[:, -self.config.memory_items :] for name, value in longer.items()}


def _questions(config: LanguageUsersConfig, data: Data) -> QuestionList:
    """The questions that the config asks of people with this data, which has the items alone."""
    if config.topic_attribute is None:
        return QuestionList()
    values = frequent_values(data, config.topic_attribute, config.num_topics) if "attributes" in config.questions else []
    return QuestionList(values, "free" in config.questions)


def _of_split(config: LanguageUsersConfig, everybody: Population, split: Split) -> Tensor:
    return people_of_split(everybody.numbers, split, config.evaluation_share, config.world_seed)


def _sentences_of(config: LanguageUsersConfig, data: Data) -> list[str]:
    """The sentences that may be said, which are the texts of the data; the last one is silence if there is a free question."""
    texts = sentences(data.without_questions(), config.topic_attribute, config.num_topics).texts
    if "free" in config.questions:
        texts = [*texts, SILENCE]
    if data.contexts is None or data.contexts.texts != texts:
        needed = needs_texts(config.says)
        raise DataError(f"{needed} needs its sentences as Data.contexts; build it on LanguageUsers.training_data(config, data)")
    return texts
