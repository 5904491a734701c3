"""Rewards that are a step of the response, such as a click from four stars on: scores that order items by their probability.

In the model of `posterior_greedy`, a response x_i is normal given the taste z, so the reward is high with the probability

    P(x_i >= c) = Phi((m_i + a_i' z - c) / d_i)

(probit). With d_i^2 = |a_i|^2 + s_i, the variance of x_i before anything is known of the person, the argument of Phi is linear in z. A
linear regression of the reward on z expects more than the highest reward of people with strong tastes, and orders items by that.

Where the response itself has two values, as if the click is all that is known, it is no normal number that passes a threshold, and the
reward is linear in it: then that regression is the model's expectation, and there is no step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.references.posterior_greedy import ResponseModel

ROUNDING = 1e-4
"""By how much responses of one value may differ, as a share of the gap between both sides: they are sums of weighted signals."""


class RewardStep(NamedTuple):
    """The reward is `low` for responses below the threshold c, and `high` from there on; scalars."""

    threshold: Tensor
    low: Tensor
    high: Tensor


def step_of(responses: Tensor, rewards: Tensor) -> RewardStep | None:
    """The step by which rewards `[n]` follow from responses `[n]`, halfway between those of both sides.

    None: they do not follow so, or the responses have one value on each side.
    """
    low, high = rewards.min(), rewards.max()
    given = rewards == high
    if low == high or not (given | (rewards == low)).all():
        return None
    below, above = responses[~given].max(), responses[given].min()
    gap, spread = above - below, responses.max() - responses.min()
    if gap <= 0 or spread - gap <= ROUNDING * gap:
        return None
    return RewardStep((below + above) / 2, low, high)


def step_scores(model: ResponseModel, step: RewardStep) -> Tensor:
    """Columns b and n `[M + 1, d + 1]`, as in `ResponseModel.rewards`: b_i' z + n_i orders items by the probability of the high reward.

    They are the tangent of its expectation where both rewards are equally probable.
    """
    deviation = (model.loadings.square().sum(dim=1) + model.noise).sqrt()
    argument = torch.cat([model.loadings, (model.means - step.threshold)[:, None]], dim=1) / deviation[:, None]
    scores = (step.high - step.low) / math.sqrt(2 * math.pi) * argument
    scores[:, -1] += (step.high + step.low) / 2
    return scores
