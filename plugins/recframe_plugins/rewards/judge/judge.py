"""The judge reward: the grade that a language model gives to what is recommended, by a rubric."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.interfaces import PAD, Catalog, Data, DataError, Reward, Transition
from recframe.llm import Chat
from recframe.llm.shared_chats import chat_for
from recframe.report_cards import agreement, card_ratings, chance_verdicts, rating_scale, warn_without_ratings
from recframe_plugins.rewards.equal_shares import equal_shares
from recframe_plugins.rewards.judge.config import JudgeConfig
from recframe_plugins.rewards.judge.grading import Case, Grading
from recframe_plugins.rewards.judge.known_ratings import rated_before

PREFIX = "judge/"


class Judge(Reward):
    """The grade of an item, or of a slate, from 0 to 1:

        r_k = (grade_k - 1) / (grades - 1)        and with judges=slates        r_k = (grade - 1) / (grades - 1) / K

    where K is the number of items that are shown.

    The judge reads the rubric, the person's profile if the data has one, the last items shown before with what the person did with them,
    and what is recommended. It does not read how the person responded: that is what it is to predict. Answers are cached by the texts of
    the questions, so the same recommendation after the same history has the same grade.

    Whether its grades agree with real ratings is measured before training (`report`).

    Parameters
    ----------
    chat: the access to the language model; by default that of `config.llm`.

    Raises
    ------
    BudgetExhausted: raised by `__call__` and `report`, if the questions would cost more than `config.llm` allows.
    """

    reads_response = False

    def __init__(self, config: JudgeConfig, chat: Chat | None = None) -> None:
        self.config = config
        self.chat = chat_for(config.llm, "reward.judge.llm") if chat is None else chat
        self.data: Data | None = None
        self.grading: Grading | None = None
        self._card: dict[str, float] | None = None

    def prepare(self, data: Data) -> None:
        """Read titles, texts and profiles; nothing is asked."""
        warn_without_ratings(data.interactions, self.config.feedback, "reward.judge.feedback")
        self.data, self.grading, self._card = data, Grading(self.config, data, self.chat), None

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The worth of each item, `[N, K]` in [0, 1], or an equal share of that of the slate.

        Raises
        ------
        RuntimeError: `prepare` was not called.
        DataError: the environment's histories hold the signals in another order than its responses, so that they cannot be told apart.
        """
        if self.grading is None:
            raise RuntimeError("call prepare(data) first: it reads the texts that the judge needs")
        slate = transition.slate
        profiles, histories = self._profiles(transition), self._histories(transition)
        people = zip(profiles, histories, slate.tolist(), strict=True)
        # where a question was asked, or takes a place, nothing is recommended, and nobody is asked to judge it
        shown = [(profile, history, [item for item in items if item != PAD]) for profile, history, items in people]
        there = slate != PAD
        if self.config.judges == "slates":
            worth = torch.zeros(len(slate))
            worth[there.any(dim=1).cpu()] = self.grading([Case(*one) for one in shown if one[2]])
            return equal_shares(worth.to(slate.device), transition)
        worth = torch.zeros(slate.shape)
        worth[there.cpu()] = self.grading([Case(profile, history, [item]) for profile, history, items in shown for item in items])
        return worth.to(slate.device)

    def report(self) -> dict[str, float]:
        """How well the grades agree with held-out real ratings (`recframe.report_cards.agreement`), each under `judge/`; empty if the data
        has no ratings. It is asked once.
        """
        if self._card is None:
            self._card = self._measured()
        return dict(self._card)

    def caveats(self) -> tuple[str, ...]:
        """Whether the grades are at chance, or know no more than the mean rating of an item; or that this was not measured."""
        card = self.report()
        if not card:
            why = "reward.judge.card_people is 0" if not self.config.card_people else "the data has too few real ratings"
            return (f"how well the judge's grades agree with real ratings was not measured: {why}",)
        lines = list(chance_verdicts(card, {"grade": "the judge's grades"}, PREFIX))
        if share := card[f"{PREFIX}unusable_answers"]:
            lines.append(f"{share:.0%} of the judge's answers about held-out ratings could not be used")
        return tuple(lines)

    def _measured(self) -> dict[str, float]:
        config, data = self.config, self.data
        scale = None if data is None else rating_scale(data.interactions, config.feedback, config.like_from)
        if data is None or scale is None or data.interactions is None or not config.card_people:
            return {}
        asked = card_ratings(data.interactions, config.feedback, config.card_people, config.card_ratings, config.card_seed)
        if asked is None:
            return {}
        grading = Grading(config, data, self.chat)
        before = rated_before(asked, config.feedback, config.history, data.catalog.titles, scale)
        people, items = asked.people.tolist(), asked.items.tolist()
        cases = [
            Case(self._profile(person), before.get(person, []), [item])
            for person, theirs in zip(people, items, strict=True)
            for item in theirs
        ]
        grade, usable = (values.view(asked.items.shape) for values in grading.graded(cases))
        mean = asked.item_means(config.feedback, len(data.catalog))[asked.items]
        whose = asked.people[:, None].expand_as(asked.items)
        return agreement(whose, asked.ratings >= scale.like_from, {"grade": grade}, {"item_mean": mean}, grade, ~usable, PREFIX)

    def _profile(self, user: int) -> str | None:
        users = None if self.data is None else self.data.users
        return None if users is None or users.profiles is None else users.profiles.texts[user]

    def _profiles(self, transition: Transition) -> list[str | None]:
        return [self._profile(user) for user in transition.observation.user.tolist()]

    def _histories(self, transition: Transition) -> list[list[str]]:
        """The last items before the slate, each with what was done with it, in words."""
        assert self.data is not None
        signals = list(map(str, transition.response.signals.keys()))
        _require_order(transition, signals)
        last = self.config.history
        observation = transition.observation
        if not last:
            return [[] for _ in range(len(transition.slate))]
        items, feedback = observation.history_items[:, -last:].tolist(), observation.history_feedback[:, -last:].tolist()
        return [
            [f"{self.data.catalog.titles[item]} ({_done(signals, values)})" for item, values in zip(*row, strict=True) if item != PAD]
            for row in zip(items, feedback, strict=True)
        ]


def _done(signals: Sequence[str], values: Sequence[float]) -> str:
    """What a person did with an item, such as "click 1, rating 4"."""
    return ", ".join(f"{name} {round(value, 2) + 0.0:g}" for name, value in zip(signals, values, strict=True))


def _require_order(transition: Transition, signals: Sequence[str]) -> None:
    """Check that the end of the next history is the response, signal by signal: the reward is told no other names for the columns."""
    following = transition.next_observation.history_feedback
    shown = min(transition.slate.shape[1], following.shape[1])
    response = torch.stack([transition.response.signals[name][:, -shown:] for name in signals], dim=-1)
    # a history does not have the places of a slate at which nothing was shown
    whole = (transition.slate != PAD).all(dim=1)
    if not torch.equal(following[whole, -shown:], response[whole].to(following.dtype)):
        raise DataError(
            f"reward=judge: the environment's histories do not end with the response's signals in the order {', '.join(signals)}; "
            "give response.signals in the order of spec.signals"
        )
