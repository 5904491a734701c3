"""Choice models: which items of a slate a user clicks, given how they score each. Parts of their own, for every environment.

With scores s_1..s_K in the order of the slate, and no click as a further choice:

    independent               P(click i) = sigmoid(s_i), each item for itself: any number of clicks
    multinomial_logit         P(i) = exp(s_i) / (sum_j exp(s_j) + exp(no_click_mass))
    multinomial_proportional  P(i) = (s_i - m) / (sum_j (s_j - m) + no_click_mass - m),  m = min_normalizer
    cascade                   P(i) = q_i prod_{j < i} (1 - q_j),  q_i = attention_prob sigmoid(s_i)
    exponential_cascade       the same with q_i = attention_prob score_scaling exp(s_i)
    proportional_cascade      the same with q_i = attention_prob score_scaling (s_i - m)

All but the first choose at most one item. Names, parameters and equations are those of RecSim's choice models (Ie et al. 2019,
arXiv:1909.04847), except for `independent` and `cascade` (Craswell et al. 2008, with a logistic attraction). Where RecSim stops with an
assertion, at negative weights and at attractions q_i / attention_prob above one, the values are clamped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe_plugins.environments.simulation.config import ChoiceConfig


class ChoiceModel(ABC):
    """Scores to clicks. `num_draws(K)` uniform numbers decide a slate."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """The probability `[..., K]` of a click on each item of slates that score `[..., K]`."""

    def num_draws(self, slate_size: int) -> int:
        """How many uniform numbers `clicks` takes for a slate."""
        return 1

    def clicks(self, scores: Tensor, uniforms: Tensor) -> Tensor:
        """Clicks `[N, K]` bool on slates that score `[N, K]`, decided by `uniforms` `[N, num_draws(K)]`: at most one a slate."""
        within = uniforms < self.probabilities(scores).cumsum(dim=1)
        # the first such item is the one; counted, as sums made in parallel may round so that a later one is below an earlier one
        return within & (within.cumsum(dim=1) == 1)

    def alone(self, scores: Tensor) -> Tensor:
        """The probability of a click on each item if it were shown alone, of the shape of `scores`."""
        return self.probabilities(scores.unsqueeze(-1)).squeeze(-1)


class Independent(ChoiceModel):
    """Each item is clicked or not, whatever stands beside it."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """sigmoid(s)."""
        return torch.sigmoid(scores)

    def num_draws(self, slate_size: int) -> int:
        """One for each item."""
        return slate_size

    def clicks(self, scores: Tensor, uniforms: Tensor) -> Tensor:
        """Any number of clicks a slate."""
        return uniforms < self.probabilities(scores)

    def alone(self, scores: Tensor) -> Tensor:
        """As in any slate."""
        return self.probabilities(scores)


class MultinomialLogit(ChoiceModel):
    """One choice out of the slate and no click, by softmax."""

    def __init__(self, no_click_mass: float) -> None:
        self.no_click_mass = no_click_mass

    def probabilities(self, scores: Tensor) -> Tensor:
        """softmax([s, no_click_mass]) without its last entry."""
        return torch.softmax(F.pad(scores, (0, 1), value=self.no_click_mass), dim=-1)[..., :-1]


class MultinomialProportional(ChoiceModel):
    """One choice out of the slate and no click, in proportion to the scores."""

    def __init__(self, no_click_mass: float, min_normalizer: float) -> None:
        self.no_click_weight = no_click_mass - min_normalizer
        self.min_normalizer = min_normalizer

    def probabilities(self, scores: Tensor) -> Tensor:
        """Each item's share of the weights."""
        weights = (scores - self.min_normalizer).clamp(min=0.0)
        return weights / (weights.sum(dim=-1, keepdim=True) + self.no_click_weight)


class Cascade(ChoiceModel):
    """The user goes through the slate from the top and stops at the first click. `attraction` maps scores to click probabilities."""

    def __init__(self, attention_prob: float, attraction: Callable[[Tensor], Tensor]) -> None:
        self.attention_prob = attention_prob
        self.attraction = attraction

    def probabilities(self, scores: Tensor) -> Tensor:
        """q_i times the probability that nothing above was clicked."""
        clicked = self.attention_prob * self.attraction(scores).clamp(0.0, 1.0)
        passed = (1.0 - clicked[..., :-1]).cumprod(dim=-1)
        return clicked * F.pad(passed, (1, 0), value=1.0)


def choice_model(config: ChoiceConfig) -> ChoiceModel:
    """The choice model that a config names.

    Raises
    ------
    ValueError: there is no such model.
    """
    lowest, scaling = config.min_normalizer, config.score_scaling
    match config.choice_model:
        case "independent":
            return Independent()
        case "multinomial_logit":
            return MultinomialLogit(config.no_click_mass)
        case "multinomial_proportional":
            return MultinomialProportional(config.no_click_mass, lowest)
        case "cascade":
            return Cascade(config.attention_prob, torch.sigmoid)
        case "exponential_cascade":
            return Cascade(config.attention_prob, lambda scores: scaling * scores.exp())
        case "proportional_cascade":
            return Cascade(config.attention_prob, lambda scores: scaling * (scores - lowest))
    raise ValueError(f"environment.choice_model: there is no {config.choice_model!r}")
