"""Reference policies that need no fitting."""

from dataclasses import replace

import pytest
import torch

from recframe.interfaces import Observation, Truth
from recframe.references.fixed_slate import FixedRankingPolicy, FixedSlatePolicy
from recframe.references.oracle import OraclePolicy
from recframe.references.popular import PopularPolicy
from recframe.references.random import RandomPolicy


def observe(history, candidates=None):
    history = torch.tensor(history)
    return Observation(
        user=torch.zeros(len(history), dtype=torch.int64),
        history_items=history,
        history_feedback=torch.zeros(*history.shape, 1),
        candidates=None if candidates is None else torch.tensor(candidates),
        batch_size=[len(history)],
    )


@pytest.fixture
def spec(world):
    return replace(world.environment().spec, num_items=6, slate_size=2, history_length=3)


def test_random_slates_hold_different_items_and_repeat_in_the_next_rollout(spec):
    policy = RandomPolicy(spec, seed=1)
    observation = observe([[-1, -1, -1]] * 200)
    first, second = policy(observation, 0), policy(observation, 1)
    assert (first[:, 0] != first[:, 1]).all()
    assert not torch.equal(first, second)
    assert torch.equal(policy(observation, 0), first)
    assert len(first.unique()) == 6


def test_popular_skips_items_shown_recently(spec):
    policy = PopularPolicy(spec, torch.tensor([1.0, 9.0, 5.0, 7.0, 5.0, 0.0]))
    slates = policy(observe([[-1, -1, -1], [-1, -1, 1], [1, 3, 2], [0, 5, 4]]), 0)
    assert slates.tolist() == [[1, 3], [3, 2], [4, 0], [1, 3]]


def test_popular_starts_again_when_all_items_were_shown(spec):
    policy = PopularPolicy(replace(spec, num_items=3), torch.tensor([1.0, 9.0, 5.0]))
    assert policy(observe([[0, 1, 2], [-1, 1, 2]]), 0).tolist() == [[1, 2], [0, 1]]


def test_popular_shows_only_candidates(spec):
    policy = PopularPolicy(spec, torch.tensor([1.0, 9.0, 5.0, 7.0, 5.0, 0.0]))
    slates = policy(observe([[-1, -1, 4], [4, 5, 0]], [[0, 4, 5, -1], [0, 4, 5, -1]]), 0)
    assert slates.tolist() == [[0, 5], [4, 0]]


def test_a_fixed_slate_is_the_same_for_all_users_and_starts_again_at_the_end(spec):
    policy = FixedSlatePolicy(spec, torch.tensor([4, 2, 0]), torch.tensor([3.0, 1.0, 4.0, 2.0, 5.0, 0.0]))
    observation = observe([[-1, -1, -1], [0, 1, 2]])
    assert [policy(observation, turn).tolist() for turn in range(3)] == [[[4, 2]] * 2, [[0, 4]] * 2, [[2, 0]] * 2]


def test_a_fixed_slate_shows_the_next_candidates_on_the_list_and_then_the_best_others(spec):
    policy = FixedSlatePolicy(spec, torch.tensor([4, 2, 0]), torch.tensor([3.0, 1.0, 4.0, 2.0, 5.0, 0.0]))
    observation = observe([[-1, -1, -1]] * 3, [[0, 2, 3, -1], [5, 3, 1, 4], [5, 1, 3, -1]])
    assert policy(observation, 0).tolist() == [[2, 0], [4, 3], [3, 1]]
    assert policy(observation, 1).tolist() == [[0, 2], [4, 3], [3, 1]]


def test_a_list_that_repeats_items_does_not_repeat_them_within_a_slate(spec):
    policy = FixedSlatePolicy(spec, torch.tensor([4, 2, 0, 4, 1, 2]), torch.tensor([3.0, 1.0, 4.0, 2.0, 5.0, 0.0]))
    observation = observe([[-1, -1, -1]] * 3)
    assert [policy(observation, turn)[0].tolist() for turn in range(3)] == [[4, 2], [0, 4], [1, 2]]
    observation.excluded = torch.tensor([[2, -1, -1, -1], [1, 0, 2, -1], [4, 2, 0, 1]])
    # an item counts where it is on the list for the last time: 0, 4, 1, 2
    assert policy(observation, 0).tolist() == [[0, 4], [4, 3], [3, 5]]
    assert policy(observation, 2).tolist() == [[1, 0], [4, 3], [3, 5]]


def test_a_fixed_ranking_shows_the_best_candidates_of_its_turn_and_starts_again_at_the_end(spec):
    policy = FixedRankingPolicy(spec, torch.tensor([[3.0, 1.0, 4.0, 2.0, 5.0, 0.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]))
    observation = observe([[-1, -1, -1], [4, 3, 2]], [[0, 2, 3, -1], [5, 3, 1, 4]])
    assert [policy(observation, turn).tolist() for turn in range(3)] == [[[2, 0], [4, 3]], [[3, 2], [5, 4]], [[2, 0], [4, 3]]]
    observation.excluded = torch.tensor([[2, -1], [4, 5]])
    assert policy(observation, 1).tolist() == [[3, 0], [3, 1]]


def test_the_oracle_weighs_reward_against_leaving(spec, world):
    truth = Truth({"click": torch.tensor([[0.9, 0.8, 0.1]])}, torch.tensor([[0.5, 0.1, 0.0]]))
    observation = observe([[-1, -1, -1]])
    assert OraclePolicy(world.rewards, 1, 0.0).choose(observation, 0, truth).tolist() == [[0]]
    assert OraclePolicy(world.rewards, 1, 1.0).choose(observation, 0, truth).tolist() == [[1]]
    assert OraclePolicy(world.rewards, 1, 100.0).choose(observation, 0, truth).tolist() == [[2]]
    assert OraclePolicy(world.rewards, 1, 0.0).choose(observe([[-1, -1, -1]], [[1, 2]]), 0, truth).tolist() == [[1]]
