"""Exploration in serving: slates that are partly chosen at random, with the probability of every place.

Items are chosen place by place, without replacement. A_j is the set of those that may be put at place j, given those above it and the rules
of the slate; b_j is the one of A_j that the policy would show without exploration. The propensity of an item i of A_j is

    epsilon:     (1 - epsilon) [i = b_j] + epsilon / |A_j|
    boltzmann:   exp(s_i / T) / sum over l in A_j of exp(s_l / T)                                     (Plackett, 1975; Luce, 1959)
    thompson:    sum over m of w_m ((1 - epsilon) [i = b_jm] + epsilon / |A_j|) / sum over m of w_m

where s are the policy's scores and T is the temperature. Thompson sampling (Thompson, 1933) draws one of M fixed draws of the agent's own
exploration, m, with the same probability each, and keeps to it for the whole slate; b_jm is what this draw would show, and w_m is the
probability that it would have shown the items above. With epsilon = 0, w_m is 1 for the draws that agree with the items above and 0 for
others, so that propensities are shares of draws. The product of a slate's propensities is the probability of the slate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.components import bounds_problems, option
from recframe.errors import UserError
from recframe.serving.choice_set import ChoiceSet
from recframe.serving.preferences import FrozenDraws, Preferences


@dataclass
class ExplorationConfig:
    """How a policy explores when it serves."""

    kind: str = option(
        "none",
        "none: never; epsilon: at each place a random item with probability epsilon; boltzmann: places are drawn by the softmax of the "
        "policy's scores; thompson: by one of a number of draws of the agent's own exploration, and epsilon",
        choices=["none", "epsilon", "boltzmann", "thompson"],
    )
    epsilon: float = option(
        0.1, "epsilon and thompson: probability, at each place, of an item drawn from all that may be there", ge=0, le=1
    )
    temperature: float = option(1.0, "boltzmann: scores are divided by it; the larger it is, the more is explored", gt=0)
    draws: int = option(16, "thompson: number of fixed draws; an answer costs as much as that many", ge=1, le=1_024)


def explorer_of(setting: str, seed: int) -> Explorer:
    """The explorer of a setting on the command line: epsilon=PROBABILITY, boltzmann=TEMPERATURE, or thompson=DRAWS.

    Raises
    ------
    recframe.errors.UserError: it is none of these, or out of bounds.
    """
    kind, _, value = setting.partition("=")
    options = {"epsilon": "epsilon", "boltzmann": "temperature", "thompson": "draws"}
    try:
        given: dict[str, Any] = {options[kind]: int(value) if kind == "thompson" else float(value)}
    except (KeyError, ValueError):
        remedy = "epsilon=0.1, boltzmann=1.0 or thompson=16 are right"
        raise UserError(f"--explore: {setting!r} is not allowed; {remedy}") from None
    return Explorer(ExplorationConfig(kind, **given), seed)


class Chosen(NamedTuple):
    """A slate, best first, and the propensity of each place. explored: whether it is another than it would be without exploration."""

    items: list[int]
    propensities: list[float]
    explored: bool


class Explorer:
    """Chooses slates by a config. The same seed gives the same slates to the same questions in the same order.

    Each question has random draws of its own, so that its slate does not depend on which other questions are answered with it.

    Parameters
    ----------
    config: how it explores.   seed: None: another one each time.

    Raises
    ------
    recframe.errors.UserError: a value of the config is out of bounds.
    """

    def __init__(self, config: ExplorationConfig, seed: int | None = None) -> None:
        for name, known in ((field.name, field.metadata) for field in fields(config)):
            if problem := next(bounds_problems(getattr(config, name), known), None):
                raise UserError(f"exploration.{name}: {problem}")
        self.config = config
        self._generator = torch.Generator()
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    @property
    def explores(self) -> bool:
        """Whether slates may be others than without exploration."""
        return self.config.kind != "none"

    @property
    def draws_by_scores(self) -> bool:
        """Whether it needs scores, and no ranking."""
        return self.config.kind == "boltzmann"

    def seeds(self, number: int) -> list[int]:
        """The seeds of the next questions."""
        return [int(torch.randint(2**62, (), generator=self._generator)) for _ in range(number)]

    def choose(self, preferences: Preferences, choice: ChoiceSet, seed: int) -> Chosen:
        """A slate for one question.

        Raises
        ------
        QueryError: the policy cannot explore in this way.
        """
        generator = torch.Generator().manual_seed(seed)
        kind, epsilon = self.config.kind, self.config.epsilon
        if kind == "none":
            return certain_slate(preferences, choice)
        if kind == "boltzmann":
            return boltzmann_slate(preferences.scores(choice), choice, self.config.temperature, generator)
        if kind == "epsilon":
            return epsilon_slate(preferences, choice, epsilon, generator)
        draws = FrozenDraws(preferences.prepared, preferences.observation, self.config.draws)
        return thompson_slate(preferences, draws, choice, epsilon, generator)


def certain_slate(preferences: Preferences, choice: ChoiceSet) -> Chosen:
    """The slate without exploration: every place is certain."""
    for item in _best_of_each_place(preferences, choice):
        choice.take(item)
    return Chosen(choice.slate, [1.0] * len(choice.slate), False)


def epsilon_slate(preferences: Preferences, choice: ChoiceSet, epsilon: float, generator: torch.Generator) -> Chosen:
    """At each place the policy's item, or with probability epsilon one drawn from all that may be there."""
    propensities, explored = [], False
    for best in _best_of_each_place(preferences, choice):
        explores = bool(torch.rand((), generator=generator, dtype=torch.float64) < epsilon)
        item = choice.drawn(generator) if explores else best
        propensities.append((1 - epsilon) * (item == best) + epsilon / choice.size)
        explored |= item != best
        choice.take(item)
    return Chosen(choice.slate, propensities, explored)


def boltzmann_slate(scores: Tensor, choice: ChoiceSet, temperature: float, generator: torch.Generator) -> Chosen:
    """A draw of Plackett and Luce from the scores `[C]` float64 of the choice set's columns.

    The items are those of the largest scores plus Gumbel noise (Yellott, 1977). This holds under rules, too: an item that may be shown
    later may also be shown now, and the noise of those that were not chosen is, above the one that was, as if drawn anew.
    """
    logits = scores / temperature
    noisy = logits - torch.empty_like(logits).exponential_(generator=generator).log_()
    chosen: list[float] = []
    closed: list[Tensor] = []
    explored = False
    while choice:
        before = choice.open.clone()
        column = int(noisy.masked_fill(~before, -torch.inf).argmax())
        explored |= column != int(logits.masked_fill(~before, -torch.inf).argmax())
        choice.take(choice.item_at(column))
        chosen.append(float(logits[column]))
        closed.append(logits[before & ~choice.open].logsumexp(dim=0))
    # summed from the last place to the first: a difference would lose all digits where one item has nearly all of the probability
    left = logits[choice.open].logsumexp(dim=0)
    propensities: list[float] = []
    for logit, gone in zip(reversed(chosen), reversed(closed), strict=True):
        left = torch.logaddexp(left, gone)
        propensities.append(float((logit - left).exp()))
    return Chosen(choice.slate, propensities[::-1], explored)


def thompson_slate(preferences: Preferences, draws: FrozenDraws, choice: ChoiceSet, epsilon: float, generator: torch.Generator) -> Chosen:
    """The slate of one of the draws, or at each place, with probability epsilon, an item drawn from all that may be there.

    Which draw it is need not be known: given the items above, it is draw m with probability w_m, and is drawn again by it.
    """
    propensities, explored = [], False
    weights: Tensor | None = None
    for best in _best_of_each_place(preferences, choice):
        shown = draws.best(choice)
        # a draw that would show nothing more goes on as the policy does
        of_draws = torch.tensor([best if item is None else item for item in shown])
        if weights is None:
            weights = torch.ones(len(shown), dtype=torch.float64)
        explores = bool(torch.rand((), generator=generator, dtype=torch.float64) < epsilon)
        draw = int(torch.multinomial(weights, 1, generator=generator))
        item = choice.drawn(generator) if explores else int(of_draws[draw])
        likelihoods = (1 - epsilon) * (of_draws == item).double() + epsilon / choice.size
        propensities.append(float(weights @ likelihoods / weights.sum()))
        weights = weights * likelihoods
        weights /= weights.sum()
        explored |= item != best
        choice.take(item)
    return Chosen(choice.slate, propensities, explored)


def _best_of_each_place(preferences: Preferences, choice: ChoiceSet) -> Iterator[int]:
    """What the policy would show at each place, given what was taken at the places above."""
    while choice and (best := preferences.best(choice)) is not None:
        yield best
