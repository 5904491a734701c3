"""Choice models: which items of a slate a user clicks, given the user's score of each item. Any environment can use them.

With scores s_1..s_K in the order of the slate, and "no click" as an additional choice:

    independent               P(click i) = sigmoid(s_i), independently for each item: any number of clicks
    multinomial_logit         P(i) = exp(s_i) / (sum_j exp(s_j) + exp(no_click_mass))
    multinomial_proportional  P(i) = (s_i - m) / (sum_j (s_j - m) + no_click_mass - m),  m = min_normalizer
    cascade                   P(i) = q_i prod_{j < i} (1 - q_j),  q_i = attention_prob sigmoid(s_i)
    exponential_cascade       as cascade, with q_i = attention_prob score_scaling exp(s_i)
    proportional_cascade      as cascade, with q_i = attention_prob score_scaling (s_i - m)

All models except the first choose at most one item. Names, parameters and equations are those of RecSim's choice models (Ie et al. 2019,
arXiv:1909.04847), except for `independent` and `cascade` (Craswell et al. 2008, with a logistic attraction). Negative weights, and
attractions q_i / attention_prob above one, are clamped; RecSim stops with an assertion there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe_plugins.environments.simulation.config import ChoiceConfig


class ChoiceModel(ABC):
    """Turns scores into clicks. `num_draws(K)` uniform numbers decide the clicks on a slate."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """The probability `[..., K]` of a click on each item of slates with scores `[..., K]`."""

    def num_draws(self, slate_size: int) -> int:
        """The number of uniform numbers that `clicks` uses for a slate."""
        return 1

    def clicks(self, scores: Tensor, uniforms: Tensor) -> Tensor:
        """Clicks `[N, K]` bool on slates with scores `[N, K]`, decided by `uniforms` `[N, num_draws(K)]`: at most one per slate."""
        within = uniforms < self.probabilities(scores).cumsum(dim=1)
        # the click is on the first such item; found by counting, as sums computed in parallel can round to a decreasing sequence
        return within & (within.cumsum(dim=1) == 1)

    def alone(self, scores: Tensor) -> Tensor:
        """The probability of a click on each item if it were shown alone, in the shape of `scores`."""
        return self.probabilities(scores.unsqueeze(-1)).squeeze(-1)


class Independent(ChoiceModel):
    """Each item is clicked or not, independently of the others."""

    def probabilities(self, scores: Tensor) -> Tensor:
        """sigmoid(s)."""
        return torch.sigmoid(scores)

    def num_draws(self, slate_size: int) -> int:
        """One number for each item."""
        return slate_size

    def clicks(self, scores: Tensor, uniforms: Tensor) -> Tensor:
        """Any number of clicks per slate."""
        return uniforms < self.probabilities(scores)

    def alone(self, scores: Tensor) -> Tensor:
        """The same as in a slate."""
        return self.probabilities(scores)


class MultinomialLogit(ChoiceModel):
    """One choice among the items of the slate and "no click", by softmax."""

    def __init__(self, no_click_mass: float) -> None:
        self.no_click_mass = no_click_mass

    def probabilities(self, scores: Tensor) -> Tensor:
        """softmax([s, no_click_mass]) without its last entry."""
        return torch.softmax(F.pad(scores, (0, 1), value=self.no_click_mass), dim=-1)[..., :-1]


class MultinomialProportional(ChoiceModel):
    """One choice among the items of the slate and "no click", in proportion to the scores."""

    def __init__(self, no_click_mass: float, min_normalizer: float) -> None:
        self.no_click_weight = no_click_mass - min_normalizer
        self.min_normalizer = min_normalizer

    def probabilities(self, scores: Tensor) -> Tensor:
        """Each item's share of the weights."""
        weights = (scores - self.min_normalizer).clamp(min=0.0)
        return weights / (weights.sum(dim=-1, keepdim=True) + self.no_click_weight)


class Cascade(ChoiceModel):
    """The user scans the slate from the top and stops at the first click. `attraction` maps scores to click probabilities."""

    def __init__(self, attention_prob: float, attraction: Callable[[Tensor], Tensor]) -> None:
        self.attention_prob = attention_prob
        self.attraction = attraction

    def probabilities(self, scores: Tensor) -> Tensor:
        """q_i times the probability that no item above was clicked."""
        clicked = self.attention_prob * self.attraction(scores).clamp(0.0, 1.0)
        passed = (1.0 - clicked[..., :-1]).cumprod(dim=-1)
        return clicked * F.pad(passed, (1, 0), value=1.0)


def choice_model(config: ChoiceConfig) -> ChoiceModel:
    """The choice model that the config names.

    Raises
    ------
    ValueError: no such choice model exists.
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
    raise ValueError(f"environment.choice_model: there is no choice model {config.choice_model!r}")
