"""Rewards that are a response signal, unchanged or rescaled."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig, DwellConfig, EnvironmentRewardConfig, PurchaseConfig, RatingConfig, SkipConfig
from recframe_plugins.rewards.dwell import Dwell
from recframe_plugins.rewards.environment import EnvironmentReward
from recframe_plugins.rewards.purchase import Purchase
from recframe_plugins.rewards.rating import Rating
from recframe_plugins.rewards.skip import Skip


@pytest.mark.parametrize(
    ("reward", "signal"),
    [
        (Click(ClickConfig()), "click"),
        (Rating(RatingConfig()), "rating"),
        (Dwell(DwellConfig()), "dwell"),
        (Purchase(PurchaseConfig()), "purchase"),
        (EnvironmentReward(EnvironmentRewardConfig()), "reward"),
    ],
    ids=["click", "rating", "dwell", "purchase", "environment"],
)
@given(seed=st.integers(0, 1000), slate_size=st.sampled_from([1, 5]))
def test_reward_equals_its_signal_by_default(reward, signal, random_step, data, seed, slate_size):
    transition = random_step(seed, slate_size)
    assert torch.equal(reward(transition, data.catalog), transition.response.signals[signal])


def test_a_rating_is_measured_from_the_centre_in_units_of_the_scale(step, data):
    transition = step([[3, 4]], rating=[[2.0, 5.0]])
    assert Rating(RatingConfig(centre=3.0, scale=2.0))(transition, data.catalog).tolist() == [[-0.5, 1.0]]


def test_dwell_is_clipped_and_then_scaled(step, data):
    transition = step([[3, 4, 5]], dwell=[[0.0, 45.0, 600.0]])
    assert Dwell(DwellConfig(scale=30.0))(transition, data.catalog).tolist() == [[0.0, 1.5, 20.0]]
    assert Dwell(DwellConfig(scale=30.0, maximum=60.0))(transition, data.catalog).tolist() == [[0.0, 1.5, 2.0]]


@given(
    reward=st.one_of(
        st.builds(lambda centre, scale: (Rating(RatingConfig(centre, scale)), "rating"), st.floats(-5, 5), st.floats(0.1, 10)),
        st.builds(lambda scale: (Dwell(DwellConfig(scale)), "dwell"), st.floats(0.1, 10)),
    ),
    share=st.floats(0, 1),
)
def test_the_reward_of_an_expected_signal_is_the_expected_reward(step, data, reward, share):
    term, signal = reward

    def worth(value):
        return term(step([[3, 4]], **{signal: [[value, value]]}), data.catalog)

    torch.testing.assert_close(worth(share * 1.0 + (1 - share) * 5.0), share * worth(1.0) + (1 - share) * worth(5.0), rtol=1e-4, atol=1e-4)


def test_a_click_is_worth_two_and_a_skip_minus_one_with_the_weights_of_rl4rec(step, data):
    transition = step([[3, 4, 5]], click=[[1.0, 0.0, 0.25]])
    clicks, skips = Click(ClickConfig())(transition, data.catalog), Skip(SkipConfig())(transition, data.catalog)
    assert skips.tolist() == [[0.0, -1.0, -0.75]]
    # an expected click gives the expected reward: 0.25 * 2 - 0.75 * 1
    assert (2.0 * clicks + skips).tolist() == [[2.0, -1.0, -0.25]]
