"""What N people think of their slates, as tensors on the CPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from recframe.llm import Chat
from recframe.llm.unusable import UnusableAnswers
from recframe.report_cards import RatingScale
from recframe_plugins.environments.language_users.visits import Visit, Wording


class Afterwards(NamedTuple):
    """leave: `[N]` float32, the probability of leaving.   says: `[N, S]` float32, of each sentence; None if nobody says anything."""

    leave: Tensor
    says: Tensor | None


class Opinions(NamedTuple):
    """click: `[N, K]` float32, the probability of a click (0 or 1 from an answer).   rating: `[N, K]` float32, expected.

    usable: `[N]` bool, whether the model's answer could be used.   afterwards: what the same answers say of the rest, if they do.
    """

    click: Tensor
    rating: Tensor
    usable: Tensor
    afterwards: Afterwards | None = None


class Replies(NamedTuple):
    """What n people reply to questions.

    chosen: `[n, S]` float32, the probability of each possible reply.   leave: `[n]` float32, the probability of leaving.
    usable: `[n]` bool, whether the model's answer could be used.
    """

    chosen: Tensor
    leave: Tensor
    usable: Tensor


class Respondents(ABC):
    """Asks a language model to play people.

    Parameters
    ----------
    personas: by number.   sentences: that they may say; None: they say nothing.
    unusable: counts the answers about slates that cannot be used. Those to questions are counted in `unusable_replies`.
    """

    def __init__(
        self, chat: Chat, wording: Wording, personas: Any, scale: RatingScale, sentences: Sequence[str] | None, unusable: UnusableAnswers
    ) -> None:
        self.chat = chat
        self.wording = wording
        self.personas = personas
        self.scale = scale
        self.sentences = sentences
        self.unusable = unusable
        self.unusable_replies = UnusableAnswers("who gives such a reply has said nothing, and stays")

    @abstractmethod
    def opinions(self, visits: Sequence[Visit]) -> Opinions:
        """What they think of their slates. All slates are of one size K.

        Raises
        ------
        BudgetExhausted: the next question would cost more than is allowed.
        """

    @abstractmethod
    def afterwards(self, visits: Sequence[Visit], opinions: Opinions, clicks: Tensor) -> Afterwards:
        """Whether they then leave, and what they say, given what they thought of these visits, and their clicks `[N, K]`."""

    @abstractmethod
    def replies(self, visits: Sequence[Visit], options: Sequence[str]) -> Replies:
        """What they reply to the questions of their visits, of these options, and whether they then leave.

        Raises
        ------
        BudgetExhausted: see `opinions`.
        """

    def about(self, visit: Visit) -> str:
        """The visit in the words of a question."""
        return self.wording.visit(self.personas[visit.person], visit)
