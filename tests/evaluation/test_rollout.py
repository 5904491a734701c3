"""Rollouts count only first sessions, of the same users for every policy."""

import pytest
import torch

from recframe.evaluation.simulated.rollout import InformedPolicy, rollout
from recframe.interfaces import PAD
from recframe.references.oracle import OraclePolicy
from recframe.references.random import RandomPolicy


def always(item):
    return lambda observation, turn: torch.full((len(observation.user), 1), item)


def test_users_who_replace_a_finished_one_are_not_counted(world):
    environment = world.environment(num_users=50)
    ends = []

    def watching(observation, turn):
        ends.append(observation.history_items[:, -1] == -1)
        return always(3)(observation, turn)

    episodes = rollout(watching, environment, world.rewards, seed=1, max_steps=100)
    # an empty history after the first turn belongs to a new user: nothing counts from there on
    replaced = torch.stack(ends[1:]).cumsum(0) > 0
    turns = len(episodes.alive)
    assert (episodes.alive[1:] == ~replaced[: turns - 1]).all()
    assert (episodes.lengths == episodes.alive.sum(0)).all()
    for tensor in (episodes.item_rewards, episodes.clicks, episodes.terms["click"][..., None]):
        assert (tensor[~episodes.alive] == 0).all()
    assert episodes.alive[-1].any(), "turns without counted users are cut off"
    assert turns <= environment.horizon


def test_returns_are_the_rewards_of_first_sessions(world):
    episodes = rollout(always(3), world.environment(), world.rewards, seed=1, max_steps=100)
    assert torch.equal(episodes.returns, episodes.rewards.sum(0))
    assert torch.equal(episodes.returns, episodes.term_sums["click"])
    assert torch.equal(episodes.returns, episodes.clicks.sum((0, 2)))


def test_max_steps_cuts_sessions_short(world):
    long = rollout(always(3), world.environment(), world.rewards, seed=1, max_steps=100)
    short = rollout(always(3), world.environment(), world.rewards, seed=1, max_steps=2)
    assert torch.equal(short.lengths, long.lengths.clamp(max=2))
    with pytest.raises(ValueError, match="max_steps=0"):
        rollout(always(3), world.environment(), world.rewards, seed=1, max_steps=0)


def test_rewards_see_an_unrewarded_transition_of_the_step(world):
    seen = []

    def rewards(transition):
        seen.append(transition)
        return world.rewards(transition)

    rollout(always(3), world.environment(num_users=5), rewards, seed=1, max_steps=3)
    first, second = seen[:2]
    assert (first.reward == 0).all()
    assert first.item_reward.shape == (5, 1)
    assert (first.slate == 3).all()
    assert (first.next_observation.history_items[:, -1] == 3).all()
    stayed = ~(first.terminated | first.truncated)
    # users whose session ended are not scored any more
    assert torch.equal(second.observation.history_items, first.next_observation.history_items[stayed])


def test_all_policies_get_the_same_users(world):
    met = {}
    for item in (3, 7):

        def watching(observation, turn, item=item):
            met.setdefault(item, observation.user)
            return always(item)(observation, turn)

        rollout(watching, world.environment(), world.rewards, seed=4, max_steps=1)
    assert torch.equal(met[3], met[7])


def test_a_policy_that_is_a_context_manager_is_entered_for_the_rollout(world):
    class Attended(RandomPolicy):
        log = ()

        def __enter__(self):
            self.log += ("enter",)

        def __exit__(self, *error):
            self.log += ("exit",)

        def __call__(self, observation, turn):
            self.log += (turn,)
            return super().__call__(observation, turn)

    policy = Attended(world.environment().spec, seed=0)
    rollout(policy, world.environment(), world.rewards, seed=0, max_steps=2)
    assert policy.log == ("enter", 0, 1, "exit")


def test_only_informed_policies_get_the_truth(world):
    assert not isinstance(RandomPolicy(world.environment().spec, 0), InformedPolicy)
    with pytest.raises(ValueError, match="ToyEnvironment does not know the true responses"):
        rollout(OraclePolicy(world.rewards, 1), world.environment(knows_truth=False), world.rewards, seed=0, max_steps=1)


def test_replacing_users_do_not_change_rewards_that_depend_on_all_users(world):
    """A reward that depends on all users, as fairness of exposure does, gets only the counted ones."""

    class ShareOfSeven:
        def __call__(self, transition):
            share = (transition.slate == 7).float().mean()
            return share.expand(transition.slate.shape), {"share": share.expand(len(transition.slate))}

    def afterwards(item):
        alive = torch.ones(40, dtype=torch.bool)

        def policy(observation, turn):
            # an empty history after the first turn belongs to a new user
            alive.logical_and_((observation.history_items[:, -1] != PAD) | (turn == 0))
            return torch.where(alive, 3, item)[:, None]

        return policy

    left, right = (rollout(afterwards(item), world.environment(num_users=40), ShareOfSeven(), seed=1, max_steps=50) for item in (3, 7))
    assert (left.lengths > 1).any()
    assert left.lengths.unique().numel() > 1
    assert (left.returns == 0).all()
    assert torch.equal(left.returns, right.returns)
