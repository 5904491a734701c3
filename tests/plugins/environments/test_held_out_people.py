"""A fixed list on a complete matrix: the truth about all people is known, and each split of them gives one interval."""

import pytest
import torch

from recframe.evaluation.simulated.evaluation import evaluate_policies
from recframe.experience.rewards import RewardSum
from recframe.references.popular import PopularPolicy
from recframe_plugins.datasets.rating_matrix.rating_matrix import drawn_users
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.rating_matrix import RatingMatrixEnvironment
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig

PEOPLE, ITEMS, TURNS = 290, 40, 10


@pytest.fixture
def matrix(toy_world):
    """Ratings of 290 people, who differ in how much they like everything and in their tastes."""
    generator = torch.Generator().manual_seed(0)
    tastes, items = torch.randn(PEOPLE, 4, generator=generator), torch.randn(4, ITEMS, generator=generator)
    leniency, noise = torch.randn(PEOPLE, 1, generator=generator), torch.randn(PEOPLE, ITEMS, generator=generator)
    return toy_world._replace(users=None, interactions=None, ratings=leniency + 0.5 * tastes @ items + 0.5 * noise)


def evaluated(matrix, seed, sessions):
    """The evaluation of a fixed list on the fifth of the people that `seed` holds out, and the expected return of each person."""
    data = matrix._replace(held_out=drawn_users(PEOPLE, 0.2, seed))
    config = RatingMatrixEnvironmentConfig(protocol="fixed_length", max_steps=TURNS, quit_count=0, click_threshold=0.0)
    environment = RatingMatrixEnvironment(config, data, num_users=sessions, history_length=TURNS, split="evaluation", device="cpu")
    popularity = torch.arange(ITEMS).float()
    rewards = RewardSum({"click": (Click(ClickConfig()), 1.0)}, data.catalog, frozenset({"click"}))
    policies = {"list": PopularPolicy(environment.spec, popularity)}
    evaluation = evaluate_policies(policies, environment, rewards, data.catalog, seed=1, max_steps=TURNS, resamples=300)
    return evaluation, data.held_out, (data.ratings[:, -TURNS:] >= 0).sum(dim=1).double()


def test_one_session_each_measures_the_held_out_people_exactly(matrix):
    evaluation, held_out, expected = evaluated(matrix, seed=0, sessions=58)
    assert evaluation.people.counts() == {"people": 58, "sessions": 58}
    assert evaluation.policies["list"]["return"]["mean"] == pytest.approx(float(expected[held_out].mean()))
    assert evaluation.policies["list"]["return"]["n"] == 58


def test_more_sessions_than_people_do_not_make_the_interval_shorter(matrix):
    once, _, _ = evaluated(matrix, seed=0, sessions=58)
    often, _, _ = evaluated(matrix, seed=0, sessions=580)
    assert often.people.counts() == {"people": 58, "sessions": 580}
    assert often.policies["list"]["return"] == pytest.approx(once.policies["list"]["return"])


@pytest.mark.slow
def test_intervals_of_different_splits_contain_the_truth_about_all_people(matrix):
    covered = 0
    for seed in range(60):
        evaluation, _, expected = evaluated(matrix, seed, sessions=100)
        interval = evaluation.policies["list"]["return"]
        covered += interval["low"] <= float(expected.mean()) <= interval["high"]
    # a fifth of all people is held out, so the interval for people in general is a little wide for these 290
    assert covered >= 56
