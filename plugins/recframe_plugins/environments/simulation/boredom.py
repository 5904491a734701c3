"""Simulated users who tire of repetition: memory, boredom, fatigue and patience, independent of what the users like.

A step shows user n the items i_1..i_K. v_i are unit item vectors (topics, text or factors), e is the memory of the items shown, and a_i is
the appeal of an item to a rested user (given by the subclass):

    boredom      b_i = max(0, e.v_i)                                           between 0 and 1
    fatigue      f_i = boredom_weight b_i + repeat_penalty [i in the last repeat_window shown, or higher in this slate]
    utility      u_i = a_i - f_i
    click        by the choice model (`choice.py`) from the scores u_i - threshold; by default independent, sigmoid(u_i - threshold)
    rating       given by the subclass as a function of u_i and standard normal noise
    memory       e  <- boredom_memory e + (1 - boredom_memory) mean_k v_{i_k}
    patience     p  <- clamp(p + patience_recovery c - patience_cost (1 - c) - patience_boredom_cost b, 0, 1), c and b the slate's means
    leaving      ~ Bernoulli(leave_rate (1 - p)^2) with the new p, or by the quit rule (`quit_rule.py`), which is off by default

Where users answer questions (`SimulatedSessions`), means are over the items that are shown. A step with a question shows none: the memory
e stays as it is, nothing is clicked, and patience falls by question_patience_cost.

A session starts with e = 0 and p = 1. As in RecSim (Ie et al. 2019, arXiv:1909.04847), the user model consists of a choice, a
satisfaction and a time budget. Protocols, time limits and candidates are in `sessions.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Truth, asks
from recframe_plugins.environments.simulation.choice import choice_model
from recframe_plugins.environments.simulation.config import BoredomConfig
from recframe_plugins.environments.simulation.questions import ANSWER
from recframe_plugins.environments.simulation.quit_rule import QuitRule
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction


class BoredomSessions(SimulatedSessions):
    """Base class of the environments whose users tire of repetition; see the module docstring for the equations.

    A subclass implements `arrivals`, `appeal`, `appeal_of_all`, `rate`, `expected_rating` and, if its users change, `changed`; and, if they
    answer questions, `answers` and `expected_answers`. The state
    has the entries of the subclass and of `SimulatedSessions`, and `patience` `[N]` and `exposure` `[N, B]` (the memory e).

    Parameters
    ----------
    item_vectors: `[M, B]` float32 with rows of length one (or zero), on `device`.
    num_questions: Q, the last rows of `item_vectors` that are questions; their vectors are zero, and so is the appeal of each.
    question_patience_cost: share of the full patience that a question costs.
    quit_vectors: `[M, D]` on `device`, what the quit rule compares if not these, such as vectors for distances.
    For the others, see `SimulatedSessions`.
    """

    config: BoredomConfig

    def __init__(
        self,
        config: BoredomConfig,
        item_vectors: Tensor,
        *,
        num_users: int,
        history_length: int,
        device: torch.device | str,
        has_users: bool = True,
        has_context: bool = False,
        quit_vectors: Tensor | None = None,
        num_questions: int = 0,
        question_patience_cost: float = 0.0,
    ) -> None:
        super().__init__(
            config,
            num_items=len(item_vectors),
            num_users=num_users,
            history_length=history_length,
            signals=("click", "rating", ANSWER) if num_questions else ("click", "rating"),
            device=device,
            has_users=has_users,
            has_context=has_context,
            protocol=config.protocol,
            recent_length=max(config.repeat_window, config.quit_window),
            num_questions=num_questions,
        )
        self.question_patience_cost = question_patience_cost
        self.item_vectors = item_vectors
        self.choice = choice_model(config)
        quits = config.quit_count if config.protocol != "fixed_length" else 0
        compared = item_vectors if quit_vectors is None else quit_vectors
        self.quit_rule = QuitRule(compared, config.quit_window, quits, config.quit_similarity, config.quit_distance)
        self._start["patience"] = torch.ones(num_users, device=self.device)
        self._start["exposure"] = torch.zeros(num_users, item_vectors.shape[1], device=self.device)

    @abstractmethod
    def appeal(self, slate: Tensor, shown: Tensor) -> Tensor:
        """The appeal a `[N, K]` of the items `slate` `[N, K]`, whose vectors are `shown` `[N, K, B]`."""

    @abstractmethod
    def appeal_of_all(self) -> Tensor:
        """The appeal a `[N, M]` of all items."""

    @abstractmethod
    def rate(self, utility: Tensor, noise: Tensor) -> Tensor:
        """Ratings, in the shape of `utility` and of the standard normal `noise`."""

    @abstractmethod
    def expected_rating(self, utility: Tensor) -> Tensor:
        """The mean of `rate` over the noise, exactly."""

    def changed(self, shown: Tensor, clicks: Tensor, boredom: Tensor, on: Tensor | None, draws: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The entries of the subclass's own state that the step changes, given `shown` `[N, K, B]`, and `clicks` and `boredom` `[N, K]`.

        on: `[N, K]` bool, the places that show something; None: all. The others are 0 in these tensors.   The default changes nothing.
        """
        return {}

    def answers(self, question: Tensor, state: Mapping[str, Tensor], draws: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """How people who are in `state` after the step answer the questions `[N]`, from 0 to Q - 1; `PAD`: they were not asked.

        Returns
        -------
        The signal `answer` `[N]`, of 1, -1 or 0, which is not used where nobody was asked; and the entries of the state that change.
        """
        raise NotImplementedError(f"{type(self).__name__} has questions, but implements no answers(question, state, draws)")

    def expected_answers(self) -> Tensor:
        """The mean `[N, Q]` of `answers` to each question if nothing else about the people changed in the step."""
        raise NotImplementedError(f"{type(self).__name__} has questions, but implements no expected_answers()")

    def draws(self) -> dict[str, Tensor]:
        """Uniform numbers for the choice and for leaving, normal numbers for the ratings."""
        size = self.spec.slate_size
        return {"uniforms": self.uniforms(self.choice.num_draws(size) + 1), "noise": self.normals(size)}

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Clicks, ratings and leaving by the equations of the module docstring."""
        on = self.shown(slate)
        shown = F.embedding(slate, self.item_vectors)
        boredom = torch.einsum("nkb,nb->nk", shown, self.state["exposure"]).clamp(min=0.0)
        utility = self.appeal(slate, shown) - self._fatigue(boredom, self._repeated(slate))
        scores = utility - self.config.threshold
        # what is not shown is not chosen, whatever the model of choice
        scores = scores if on is None else scores.masked_fill(~on, -torch.inf)
        clicks = self.choice.clicks(scores, draws["uniforms"][:, :-1]).float()
        rating = self.rate(utility, draws["noise"])
        if on is not None:
            # not times 0, which would make -0 of what is negative: the same number, with other bits and in other words
            off = ~on
            shown, boredom, rating = shown.masked_fill(off[:, :, None], 0.0), boredom.masked_fill(off, 0.0), rating.masked_fill(off, 0.0)
        patience = self._patience_after(mean_over_shown(clicks, on), mean_over_shown(boredom, on))
        exposure = torch.lerp(mean_over_shown(shown, on), self.state["exposure"], self.config.boredom_memory)
        # in place of what is not shown stands what is
        quits = self.quit_rule(self.state["recent"], slate if on is None else torch.where(on, slate, slate[:, :1]))
        changed = self.changed(shown, clicks, boredom, on, draws)
        signals = {"click": clicks, "rating": rating}
        if on is not None:
            asked = asks(slate, self.spec.first_question)
            patience = torch.where(asked, self._patience_after_question(), patience)
            exposure = torch.where(asked[:, None], self.state["exposure"], exposure)
            quits = quits & ~asked
            question = (slate[:, 0] - self.spec.first_question).clamp(min=PAD)
            answers, said = self.answers(question, self.state | changed, draws)
            signals[ANSWER] = F.pad(answers.masked_fill(~asked, 0.0)[:, None], (0, slate.shape[1] - 1))
            changed = changed | said
        leave = draws["uniforms"][:, -1] < self._leave_probability(patience)
        return UserReaction(signals, leave | quits, changed | {"patience": patience, "exposure": exposure})

    def truth(self) -> Truth:
        """Expected click and rating of each item if shown alone now, and the probability of leaving after it; each `[N, M]`, exact.

        With questions also the expected answer. It is exact but for a change of mood in the step, before the answer.
        """
        self._require_session()
        boredom = (self.state["exposure"] @ self.item_vectors.T).clamp(min=0.0)
        # the extra last column collects the PADs: -1 modulo M + 1 is M
        seen = torch.zeros(self.spec.num_users, self.spec.num_items + 1, device=self.device)
        seen.scatter_(1, self._recently_shown() % (self.spec.num_items + 1), 1.0)
        utility = self.appeal_of_all() - self._fatigue(boredom, seen[:, :-1])
        click = self.choice.alone(utility - self.config.threshold)
        leave_after = [self._leave_probability(self._patience_after(torch.full_like(click, c), boredom)) for c in (0.0, 1.0)]
        leave = torch.lerp(leave_after[0], leave_after[1], click)
        if self.protocol == "fixed_length":
            leave = torch.zeros_like(leave)
        elif self.quit_rule.count:
            leave = leave.masked_fill(self.quit_rule.of_all(self.state["recent"]), 1.0)
        signals = {"click": click, "rating": self.expected_rating(utility)}
        return self._with_questions(Truth(signals, leave)) if self.spec.num_questions else Truth(signals, leave)

    def _with_questions(self, truth: Truth) -> Truth:
        """The truth in which the last columns are those of questions."""
        items = self.spec.first_question
        after = self._leave_probability(self._patience_after_question())
        after = torch.zeros_like(after) if self.protocol == "fixed_length" else after
        signals = {name: F.pad(values[:, :items], (0, self.spec.num_questions)) for name, values in truth.signals.items()}
        signals[ANSWER] = F.pad(self.expected_answers(), (items, 0))
        return Truth(signals, torch.cat([truth.leave[:, :items], after[:, None].expand(-1, self.spec.num_questions)], dim=1))

    def _recently_shown(self) -> Tensor:
        """The items that count as recently shown, `[N, repeat_window]`."""
        recent = self.state["recent"]
        return recent[:, recent.shape[1] - self.config.repeat_window :]

    def _repeated(self, slate: Tensor) -> Tensor:
        """Whether each item of the slate was recently shown or is also higher in the slate, `[N, K]` bool."""
        repeated = (slate[:, :, None] == self._recently_shown()[:, None, :]).any(dim=-1)
        if slate.shape[1] == 1:
            return repeated
        return repeated | (slate[:, :, None] == slate[:, None, :]).tril(-1).any(dim=-1)

    def _fatigue(self, boredom: Tensor, repeated: Tensor) -> Tensor:
        return self.config.boredom_weight * boredom + self.config.repeat_penalty * repeated

    def _patience_after(self, clicked: Tensor, boredom: Tensor) -> Tensor:
        """Patience `[N]` (`[N, M]` for the truth) after a slate of mean boredom `boredom` of which the share `clicked` was clicked."""
        config, patience = self.config, self.state["patience"].view(-1, *[1] * (clicked.dim() - 1))
        change = (config.patience_recovery + config.patience_cost) * clicked - config.patience_cost
        return (patience + change - config.patience_boredom_cost * boredom).clamp(0.0, 1.0)

    def _patience_after_question(self) -> Tensor:
        return (self.state["patience"] - self.question_patience_cost).clamp(min=0.0)

    def _leave_probability(self, patience: Tensor) -> Tensor:
        return self.config.leave_rate * (1.0 - patience).square()


def mean_over_shown(values: Tensor, on: Tensor | None) -> Tensor:
    """The mean over the slate of `values` `[N, K, ...]`, which are 0 where nothing is shown; `on` `[N, K]` says where something is."""
    if on is None:
        return values.mean(dim=1)
    return values.sum(dim=1) / on.sum(dim=1).clamp(min=1).view(-1, *[1] * (values.dim() - 2))
