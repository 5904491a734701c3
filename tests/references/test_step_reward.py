"""Rewards that are a step of the response: when they are taken for one, and the order of items by the probability of the high reward."""

import math

import numpy as np
import pytest
import torch

from recframe.references.posterior_greedy import ResponseModel
from recframe.references.step_reward import RewardStep, step_of, step_scores

STARS = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])


def test_a_click_from_four_stars_on_is_a_step_halfway_to_the_next_lower_rating():
    step = step_of(STARS, (STARS >= 4).float())
    assert [float(value) for value in step] == [3.5, 0.0, 1.0]


@pytest.mark.parametrize(
    "rewards",
    [[0.0, 1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]],
    ids=["noisy", "three values", "one value", "falling"],
)
def test_other_rewards_are_no_step(rewards):
    assert step_of(STARS, torch.tensor(rewards)) is None


def test_a_click_is_no_step_of_itself():
    clicks = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert step_of(clicks, clicks) is None
    # a weighted sum of signals may differ in the last digits
    assert step_of(0.3 * clicks + torch.tensor([0.0, 3e-8, 1e-8, 0.0]), clicks) is None
    # one of the sides has several values
    assert float(step_of(torch.tensor([0.0, 2.0, 1.0, 2.0]), clicks).threshold) == 1.5


def test_scores_order_items_by_the_probability_of_the_high_reward():
    generator = torch.Generator().manual_seed(0)
    loadings, means = torch.randn(8, 2, generator=generator), torch.randn(8, generator=generator)
    noise = torch.rand(8, generator=generator) + 0.5
    zeros = torch.zeros(8, 3)
    model = ResponseModel(torch.ones(1), means, loadings, noise, zeros, torch.tensor(0.0))
    scores = step_scores(model, RewardStep(torch.tensor(0.4), torch.tensor(-1.0), torch.tensor(2.0)))
    z = np.array([0.7, -1.1])
    a, m, s = (part.double().numpy() for part in (loadings, means, noise))
    x = (m + a @ z - 0.4) / np.sqrt((a**2).sum(axis=1) + s)
    found = scores.double().numpy() @ np.append(z, 1.0)
    np.testing.assert_array_equal(found.argsort(), x.argsort())
    # the tangent of -1 + 3 Phi(x) at 0
    np.testing.assert_allclose(found, 0.5 + 3.0 * x / math.sqrt(2 * math.pi), rtol=1e-5)
