"""Collecting transitions: the reward is the weighted sum of its terms, and every session is counted once."""

import math

import pytest
import torch

from recframe.experience import Collector, RewardSum, RolloutBatches, batch_source_for
from recframe.interfaces import Agent, Decision, NoExperience, Replay, Reward, Rollout, random_items
from recframe.testing import ToyEnvironment, toy_data, toy_spec, toy_transition

DATA = toy_data()
SPEC = toy_spec(DATA)


class Signal(Reward):
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, transition, catalog):
        return transition.response.signals[self.name]


class Uniform(Agent):
    experience = NoExperience()

    def act(self, observation, explore):
        return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))

    def losses(self, batch):
        yield from ()

    def optimizers(self):
        return {}


@pytest.fixture
def rewards():
    terms = {"click": (Signal("click"), 1.0), "rating": (Signal("rating"), 0.5)}
    return RewardSum(terms, DATA.catalog, frozenset({"click", "rating"}))


def test_the_reward_is_the_weighted_sum_of_its_terms(rewards):
    transition = toy_transition(SPEC, DATA, torch.Generator().manual_seed(0))
    outcome = rewards(transition)
    signals = transition.response.signals
    torch.testing.assert_close(outcome.item_reward, signals["click"] + 0.5 * signals["rating"])
    torch.testing.assert_close(outcome.terms["rating"], 0.5 * signals["rating"].sum(dim=1))
    torch.testing.assert_close(sum(outcome.terms.values()), outcome.item_reward.sum(dim=1))


def test_itemwise_rewards_count_the_itemwise_terms_only():
    terms = {"click": (Signal("click"), 2.0), "rating": (Signal("rating"), 1.0)}
    signals = {"click": torch.rand(3, len(DATA.catalog)), "rating": torch.rand(3, len(DATA.catalog))}
    only_click = RewardSum(terms, DATA.catalog, frozenset({"click"}))
    torch.testing.assert_close(only_click.itemwise(signals), 2.0 * signals["click"])


def test_every_session_is_counted_once_with_its_full_return(rewards):
    environment = ToyEnvironment(SPEC, DATA)
    collector, agent = Collector(environment, rewards, seed=3), Uniform(SPEC, seed=0)
    running = torch.zeros(2, SPEC.num_users)
    sessions = []
    for _ in range(60):
        transition = collector.step(agent)
        running += torch.stack([transition.reward, torch.ones(SPEC.num_users)])
        for user in (transition.terminated | transition.truncated).nonzero().flatten().tolist():
            sessions.append(running[:, user].tolist())
            running[:, user] = 0
    assert len(sessions) > SPEC.num_users
    seen = collector.ended_sessions()
    assert seen.num_sessions == len(sessions)
    assert seen.mean_return == pytest.approx(sum(s[0] for s in sessions) / len(sessions), rel=1e-4)
    assert seen.mean_length == pytest.approx(sum(s[1] for s in sessions) / len(sessions), rel=1e-4)
    assert sum(seen.terms.values()) == pytest.approx(seen.mean_return, rel=1e-4)
    assert collector.ended_sessions().num_sessions == 0
    assert math.isnan(collector.ended_sessions().mean_return)
    assert agent.env_steps == 60 * SPEC.num_users


def test_each_step_starts_from_the_last_steps_observation(rewards):
    collector, agent = Collector(ToyEnvironment(SPEC, DATA), rewards, seed=3), Uniform(SPEC, seed=0)
    first = collector.step(agent)
    after = collector.observation
    second = collector.step(agent)
    assert torch.equal(second.observation.history_items, after.history_items)
    going_on = ~(first.terminated | first.truncated)
    assert torch.equal(second.observation.history_items[going_on], first.next_observation.history_items[going_on])


def test_a_restored_collector_continues_identically(rewards):
    agent = Uniform(SPEC, seed=0)
    collector = Collector(ToyEnvironment(SPEC, DATA), rewards, seed=3)
    for _ in range(5):
        collector.step(agent)
    other, twin = Collector(ToyEnvironment(SPEC, DATA), rewards, seed=9), Uniform(SPEC, seed=5)
    other.load_state_dict(collector.state_dict())
    twin.load_state_dict(agent.state_dict())
    for _ in range(10):
        assert torch.equal(collector.step(agent).reward, other.step(twin).reward)
    assert collector.ended_sessions() == other.ended_sessions()


def test_batches_follow_the_experience_that_the_agent_asks_for():
    replay = batch_source_for(Replay(capacity=100, batch_size=8, learning_starts=30, updates_per_chunk=3), seed=0, device="cpu")
    transition = toy_transition(SPEC, DATA, torch.Generator().manual_seed(0), users=20)
    replay.add(transition)
    assert list(replay.batches()) == []
    replay.add(transition)
    assert [batch.batch_size[0] for batch in replay.batches()] == [8, 8, 8]

    rollout = batch_source_for(Rollout(), seed=0, device="cpu")
    assert isinstance(rollout, RolloutBatches)
    for _ in range(4):
        rollout.add(transition)
    (chunk,) = rollout.batches()
    assert chunk.batch_size == torch.Size([4, 20])
    rollout.add(transition)
    assert [batch.batch_size[0] for batch in rollout.batches()] == [1]

    assert rollout.state_dict() == {}
    with pytest.raises(ValueError, match="this source has no state, but the checkpoint holds held"):
        rollout.load_state_dict({"held": transition})
