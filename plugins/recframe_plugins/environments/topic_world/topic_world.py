"""Topic world: a small simulator with known equations, in which repeating the same good item is a mistake.

Item i has a unit topic vector x_i (the weights of its topics) and a hidden quality q_i ~ Normal(0, 1). A person has a unit taste vector
over the same topics; the taste theta of a session is that plus some noise, never negative, of length one. The appeal of an item is

    a_i = taste_weight theta.x_i + mood_weight x_i,m + quality_weight q_i

where m is the topic that the person is in the mood for (with the default weight of 0 there are no moods). The rest (boredom of topics,
clicks, patience, leaving) is in `boredom.py`, with v_i = x_i. In addition:

    rating  r_i = 1 + 4 Phi(u_i - threshold + rating_noise eps),  eps ~ Normal(0, 1)
            with mean  1 + 4 Phi((u_i - threshold) / sqrt(1 + rating_noise^2))
    drift   theta <- unit(theta + drift sum_k c_{i_k} x_{i_k})

where Phi is the standard normal distribution function, because its mean under normal noise has a closed form.

A session takes place at one time of day d, all equally likely. Moods and, with `says`, the texts that people say are drawn as follows:

    mood    m ~ softmax_t(mood_by_time z_dt)  at arrival, and in each step with probability mood_change; z_dt ~ Normal(0, 1) is fixed
    felt    g = mean_k c_{i_k} - mean_k b_{i_k}  of clicks and boredom, over what is shown: positive if g > felt_margin, negative if
            g < -felt_margin, else neutral, as at arrival
    text    uniform among the texts of `Data.contexts` with this sentiment, this time of day, and the intent m after the step (without
            moods, the topic with the largest entry in theta)

With `questions` (`simulation/questions.py`), people answer what they want after the step:

    yes or no, about topic t    yes if  taste_weight theta_t + mood_weight [t = m] - boredom_weight max(0, e_t) > threshold,  that is, if
                                they would rather click an item of this topic alone, of mean quality, than not; and the opposite
                                with probability answer_noise
    in words                    the text of above, with a neutral sentiment; until they are asked again, it stays the text of observations

The text carries information that no profile has: the mood is independent of the taste.

The defaults are chosen so that random items are clicked about one time in seven, that a user's favourite topic is clicked half as often
after five steps of nothing else, and that greedy choice by the truth earns several times as much as random items or any fixed slate.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Data, Split
from recframe_plugins.environments.simulation.boredom import BoredomSessions, mean_over_shown
from recframe_plugins.environments.simulation.questions import QuestionList, needs_texts
from recframe_plugins.environments.simulation.sessions import people_of_split
from recframe_plugins.environments.simulation.topics import frequent_topics, topic_matrices, topic_names
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.moods import NEUTRAL, Moods, Utterances, times_of

GENERATED_PEOPLE = 10_000
"""Number of people generated if the data has none: large enough that sessions rarely share one, small enough for a lookup table."""


class TopicWorld(BoredomSessions):
    """Users with hidden, drifting tastes over topics; see the module docstring for the equations.

    The people are those of `data.users` if their attributes list topics (people who list none like all topics equally);
    `Observation.user` is then their row. Otherwise `GENERATED_PEOPLE` people are drawn from a Dirichlet distribution, and
    `Observation.user` is 0 for everybody.

    Raises
    ------
    DataError: the catalogue lacks the attribute, or it has another type; the sizes do not fit (see `SimulatedSessions`); or
        `config.says` is set, or the free question is among `config.questions`, and the data lacks the texts; or the questions are not
        the last rows of the catalogue (`training_data` adds them).
    """

    config: TopicWorldConfig

    def __init__(
        self, config: TopicWorldConfig, data: Data, *, num_users: int, history_length: int, split: Split, device: torch.device | str
    ) -> None:
        item_topics, person_topics = topic_matrices(data, config.topic_attribute, config.weight_attribute)
        self.questions = _questions(config, data.without_questions())
        self.questions.require_in(data, "topic_world")
        self.people_are_known = person_topics is not None
        super().__init__(
            config,
            F.normalize(item_topics, dim=1).to(device),
            num_users=num_users,
            history_length=history_length,
            device=device,
            has_users=self.people_are_known,
            has_context=config.says or self.questions.free,
            num_questions=len(self.questions),
            question_patience_cost=config.question_patience_cost,
        )
        world = torch.Generator().manual_seed(config.world_seed)
        # questions have none: the world is the same with and without them
        quality = torch.randn(self.spec.first_question, generator=world)
        self.quality = F.pad(quality, (0, self.spec.num_questions)).to(device)
        names = topic_names(data, config.topic_attribute, config.weight_attribute) if self.questions.values or self.spec.has_context else []
        self.asked_topics = torch.tensor([names.index(value) for value in self.questions.values], dtype=torch.int64, device=device)
        if person_topics is None:
            concentration = torch.full((GENERATED_PEOPLE, item_topics.shape[1]), config.taste_concentration)
            person_topics = torch._standard_gamma(concentration, generator=world)
        self.people_tastes = F.normalize(person_topics, dim=1).to(device)
        self.people = people_of_split(torch.arange(len(person_topics), device=device), split, config.evaluation_share, config.world_seed)
        times = times_of(data.contexts)
        self.num_times = len(times)
        self.silence = 0 if data.contexts is None else len(data.contexts.texts) - 1
        self.moods: Moods | None = None
        if config.mood_weight:
            self.moods = Moods(len(times), item_topics.shape[1], config.mood_by_time, world, self.device)
        self.utterances: Utterances | None = None
        if self.spec.has_context:
            self.utterances = Utterances(data.contexts, names, times, self.device, needs_texts(config.says))

    @classmethod
    def training_data(cls, config: TopicWorldConfig, data: Data) -> Data:
        """The data with the questions that people answer."""
        return _questions(config, data).added_to(data) if config.questions else data

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`), with their taste `[N, T]`, time of day, mood and first text in this session."""
        person = self.drawn_from(self.people)
        base = F.embedding(person, self.people_tastes)
        noise = self.normals(base.shape[1])
        taste = (base + self.config.session_noise / base.shape[1] ** 0.5 * noise).clamp(min=0.0)
        known = {"user": person if self.people_are_known else torch.zeros_like(person), "taste": F.normalize(taste, dim=1)}
        if self.moods is None and self.utterances is None:
            return known
        uniforms = self.uniforms(3)
        time = (uniforms[:, 0] * self.num_times).long().clamp(max=self.num_times - 1)
        known["time"] = time
        if self.moods is not None:
            known["mood"] = self.moods.drawn(time, uniforms[:, 1])
        return known | self._said(known, torch.full_like(time, NEUTRAL), uniforms[:, 2], arriving=True)

    def draws(self) -> dict[str, Tensor]:
        """In addition to the draws for boredom and choice: uniform numbers for a change of mood, the new mood and the text."""
        draws = super().draws()
        if self.moods is not None or self.utterances is not None:
            draws["words"] = self.uniforms(3)
        if self.questions.values:
            draws["answer"] = self.uniforms()
        return draws

    def appeal(self, slate: Tensor, shown: Tensor) -> Tensor:
        """The appeal a `[N, K]`."""
        affinity = torch.einsum("nkt,nt->nk", shown, self.state["taste"])
        appeal = self.config.taste_weight * affinity + self.config.quality_weight * self.quality[slate]
        if self.moods is None:
            return appeal
        mood = self.state["mood"].view(-1, 1, 1).expand(-1, slate.shape[1], 1)
        return appeal + self.config.mood_weight * shown.gather(2, mood).squeeze(2)

    def appeal_of_all(self) -> Tensor:
        """The appeal a `[N, M]`."""
        appeal = self.config.taste_weight * self.state["taste"] @ self.item_vectors.T + self.config.quality_weight * self.quality
        return appeal if self.moods is None else appeal + self.config.mood_weight * self.item_vectors.T[self.state["mood"]]

    def rate(self, utility: Tensor, noise: Tensor) -> Tensor:
        """Ratings between 1 and 5."""
        ratings: Tensor = 1.0 + 4.0 * torch.special.ndtr(utility - self.config.threshold + self.config.rating_noise * noise)
        return ratings

    def expected_rating(self, utility: Tensor) -> Tensor:
        """E Phi(z + s eps) = Phi(z / sqrt(1 + s^2)): both are the probability that a normal variable of variance 1 + s^2 is below z."""
        ratings: Tensor = 1.0 + 4.0 * torch.special.ndtr((utility - self.config.threshold) / (1.0 + self.config.rating_noise**2) ** 0.5)
        return ratings

    def changed(self, shown: Tensor, clicks: Tensor, boredom: Tensor, on: Tensor | None, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tastes drift towards clicked items, moods change sometimes, and people say how they liked the slate and what they want."""
        consumed = torch.einsum("nkt,nk->nt", shown, clicks)
        moved = {"taste": F.normalize(self.state["taste"] + self.config.drift * consumed, dim=1)}
        if "words" not in draws:
            return moved
        uniforms, time = draws["words"], self.state["time"]
        if self.moods is not None:
            drawn = self.moods.drawn(time, uniforms[:, 1])
            moved["mood"] = torch.where(uniforms[:, 0] < self.config.mood_change, drawn, self.state["mood"])
        felt = mean_over_shown(clicks - boredom, on)
        sentiment = NEUTRAL + (felt > self.config.felt_margin).long() - (felt < -self.config.felt_margin).long()
        return moved | self._said(self.state | moved, sentiment, uniforms[:, 2])

    def answers(self, question: Tensor, state: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """See `BoredomSessions.answers`; the equations are in the module docstring."""
        answers, said = torch.zeros_like(state["patience"]), {}
        if self.questions.values:
            about = len(self.questions.values)
            wanted = self._wanted(state).gather(1, question.clamp(0, about - 1)[:, None]).squeeze(1)
            answers = torch.where(draws["answer"] < self.config.answer_noise, -wanted, wanted).masked_fill(question >= about, 0.0)
        if self.questions.free:
            words = self._words(state, torch.full_like(state["time"], NEUTRAL), draws["words"][:, 2])
            said["context"] = torch.where(question == len(self.questions.values), words, state["context"])
        return answers, said

    def expected_answers(self) -> Tensor:
        """See `BoredomSessions.expected_answers`."""
        answers = self.state["taste"].new_zeros(self.spec.num_users, self.spec.num_questions)
        if self.questions.values:
            answers[:, : len(self.questions.values)] = (1.0 - 2.0 * self.config.answer_noise) * self._wanted(self.state)
        return answers

    def _wanted(self, state: Mapping[str, Tensor]) -> Tensor:
        """Whether people in `state` want each topic that they may be asked about: 1 or -1, `[N, topics]`."""
        topics = self.asked_topics
        utility = self.config.taste_weight * state["taste"][:, topics]
        utility = utility - self.config.boredom_weight * state["exposure"][:, topics].clamp(min=0.0)
        if self.moods is not None:
            utility = utility + self.config.mood_weight * (state["mood"][:, None] == topics)
        return 2.0 * (utility > self.config.threshold).float() - 1.0

    def _said(self, state: Mapping[str, Tensor], sentiment: Tensor, uniform: Tensor, arriving: bool = False) -> dict[str, Tensor]:
        """The row of the text that people in `state` say without being asked; empty if it stays the same."""
        if self.config.says:
            return {"context": self._words(state, sentiment, uniform)}
        return {"context": torch.full_like(state["time"], self.silence)} if self.questions.free and arriving else {}

    def _words(self, state: Mapping[str, Tensor], sentiment: Tensor, uniform: Tensor) -> Tensor:
        """The row `[N]` of a text with which people in `state` say what they want."""
        assert self.utterances is not None
        wanted = state["mood"] if self.moods is not None else state["taste"].argmax(dim=1)
        return self.utterances.chosen(wanted, sentiment, state["time"], uniform)


def _questions(config: TopicWorldConfig, data: Data) -> QuestionList:
    """The questions that the config asks of people with this data, which has the items alone."""
    if "attributes" not in config.questions:
        return QuestionList((), "free" in config.questions)
    topics = frequent_topics(data, config.topic_attribute, config.weight_attribute, config.question_topics)
    return QuestionList(topics, "free" in config.questions)
