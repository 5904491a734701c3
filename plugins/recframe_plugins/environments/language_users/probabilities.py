"""People of whom a language model gives probabilities: one question for an item, whose possible ratings it chooses among.

The model chooses among five words, which stand for evenly spaced ratings r from the lowest of the log to the highest. With p_r their
probabilities,

    click  ~ Bernoulli(sum over r >= like_from of p_r)          rating  sum_r r p_r, the expected one

so that a click and a rating never contradict each other. After the clicks, one question tells the probability of leaving, and one those of
the sentences. Nothing has to be parsed: small models that write no reliable JSON are asked in this way. Where an endpoint gives no
probabilities, its answer has probability 1. An answer that begins with none of the words is counted as one that cannot be used: all words
are then equally likely, or the person stays, or says the neutral sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recframe.llm import Chat, Prompt
from recframe.llm.unusable import UnusableAnswers, undecided
from recframe.report_cards import RatingScale
from recframe_plugins.environments.language_users.opinions import Afterwards, Opinions, Replies, Respondents
from recframe_plugins.environments.language_users.sentences import NOT_KNOWN
from recframe_plugins.environments.language_users.visits import ROLE, Visit, Wording

WORDS = ("bad", "weak", "fair", "good", "great")
"""From worst to best. Each is one token in most vocabularies, which a model reads off its first answer, and none begins as another does."""
STAY, LEAVE = "stay", "leave"
STAYING = 0
"""The place of `STAY` among the two."""


class ProbablePeople(Respondents):
    """People whose ratings the model gives probabilities; see the module docstring.

    Parameters
    ----------
    asks_leaving: whether anybody may leave; otherwise it is not asked.
    """

    def __init__(
        self,
        chat: Chat,
        wording: Wording,
        personas: Any,
        scale: RatingScale,
        sentences: Sequence[str] | None,
        unusable: UnusableAnswers,
        asks_leaving: bool = True,
    ) -> None:
        super().__init__(chat, wording, personas, scale, sentences, unusable)
        self.asks_leaving = asks_leaving

    def opinions(self, visits: Sequence[Visit]) -> Opinions:
        """See `Respondents.opinions`."""
        size = len(visits[0].slate)
        prompts = [Prompt(ROLE, f"{text}\n{self._about(place, size)}") for text in map(self.about, visits) for place in range(1, size + 1)]
        chosen, even = self._chosen(prompts, WORDS, f"none of {', '.join(WORDS)}")
        levels = torch.linspace(self.scale.low, self.scale.high, len(WORDS))
        liked = (levels >= self.scale.like_from).float()
        shape = (len(visits), size)
        return Opinions((chosen @ liked).clamp(0.0, 1.0).view(shape), (chosen @ levels).view(shape), ~even.view(shape).any(dim=1))

    def afterwards(self, visits: Sequence[Visit], opinions: Opinions, clicks: Tensor) -> Afterwards:
        """See `Respondents.afterwards`."""
        leave, says = torch.zeros(len(visits)), None
        done = [f"{text}\n{_clicked(row)}" for text, row in zip(map(self.about, visits), clicks.tolist(), strict=True)]
        if self.asks_leaving:
            leave = self._leaving(done)
        if self.sentences is not None:
            asked = [Prompt(ROLE, f"{text} What do you say now?") for text in done]
            says = self._or_else(NOT_KNOWN, *self._chosen(asked, self.sentences, "none of the sentences that people say"))
        return Afterwards(leave, says)

    def replies(self, visits: Sequence[Visit], options: Sequence[str]) -> Replies:
        """See `Respondents.replies`."""
        texts = [self.about(visit) for visit in visits]
        prompts = [Prompt(ROLE, f"{text}\nWhat do you reply? Answer with one of these: {' / '.join(options)}") for text in texts]
        chosen, even = self._chosen(prompts, options, "none of the possible replies", self.unusable_replies)
        leave = self._leaving([f"{text}\nYou answered." for text in texts]) if self.asks_leaving else torch.zeros(len(visits))
        return Replies(chosen, leave, ~even)

    def _leaving(self, texts: Sequence[str]) -> Tensor:
        """The probability of leaving after what the texts tell, `[n]`."""
        asked = [Prompt(ROLE, f"{text} Do you stay and look on, or leave? Answer {STAY} or {LEAVE}.") for text in texts]
        return self._or_else(STAYING, *self._chosen(asked, [STAY, LEAVE], f"neither {STAY} nor {LEAVE}"))[:, 1]

    def _chosen(
        self, prompts: Sequence[Prompt], options: Sequence[str], none: str, unusable: UnusableAnswers | None = None
    ) -> tuple[Tensor, Tensor]:
        """The probabilities of options, `[n, S]`, and which answers begin with `none`, `[n]` bool. These are counted in `unusable`."""
        chosen = self.chat.choose(prompts, options).float().cpu()
        # a model that is loaded here always chooses: two words may be equally likely at low precision
        even = undecided(chosen) if self.chat.config.base_url is not None else torch.zeros(len(chosen), dtype=torch.bool)
        (unusable or self.unusable).add(len(even), [f"it begins with {none}"] * int(even.sum()))
        return chosen, even

    @staticmethod
    def _or_else(place: int, chosen: Tensor, even: Tensor) -> Tensor:
        """The probabilities, in which an answer that cannot be used is the option at a place."""
        sure = F.one_hot(torch.full_like(even, place, dtype=torch.int64), chosen.shape[1]).to(chosen)
        return torch.where(even[:, None], sure, chosen)

    def _about(self, place: int, size: int) -> str:
        which = "this" if size == 1 else f"number {place}"
        return f"What do you think of {which}? Answer with one word: {', '.join(WORDS[:-1])} or {WORDS[-1]}."


def _clicked(clicks: Sequence[float]) -> str:
    places = [str(place) for place, click in enumerate(clicks, 1) if click]
    return f"You clicked on number {' and '.join(places)}." if places else "You clicked on nothing."
