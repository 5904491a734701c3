"""Policies that need no fitting do what their names say."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from recframe.evaluation.simulated.agent_policy import AgentPolicy
from recframe.evaluation.simulated.rollout import rollout
from recframe.interfaces import Agent, Decision, NoExperience, Observation, Truth, random_items
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.references.policies import OraclePolicy, PopularPolicy, RandomPolicy


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


def test_random_shows_different_items_and_the_same_ones_again_in_the_next_rollout(spec):
    policy = RandomPolicy(spec, seed=1)
    observation = observe([[-1, -1, -1]] * 200)
    first, second = policy(observation, 0), policy(observation, 1)
    assert (first[:, 0] != first[:, 1]).all()
    assert not torch.equal(first, second)
    assert torch.equal(policy(observation, 0), first)
    assert len(first.unique()) == 6


def test_popular_skips_what_was_shown_lately(spec):
    policy = PopularPolicy(spec, torch.tensor([1.0, 9.0, 5.0, 7.0, 5.0, 0.0]))
    slates = policy(observe([[-1, -1, -1], [-1, -1, 1], [1, 3, 2], [0, 5, 4]]), 0)
    assert slates.tolist() == [[1, 3], [3, 2], [4, 0], [1, 3]]


def test_popular_starts_again_when_everything_was_shown(spec):
    policy = PopularPolicy(replace(spec, num_items=3), torch.tensor([1.0, 9.0, 5.0]))
    assert policy(observe([[0, 1, 2], [-1, 1, 2]]), 0).tolist() == [[1, 2], [0, 1]]


def test_popular_keeps_to_the_candidates(spec):
    policy = PopularPolicy(spec, torch.tensor([1.0, 9.0, 5.0, 7.0, 5.0, 0.0]))
    slates = policy(observe([[-1, -1, 4], [4, 5, 0]], [[0, 4, 5, -1], [0, 4, 5, -1]]), 0)
    assert slates.tolist() == [[0, 5], [4, 0]]


def test_a_fixed_slate_is_the_same_for_everybody_and_goes_round(spec):
    policy = FixedSlatePolicy(spec, torch.tensor([4, 2, 0]), torch.tensor([3.0, 1.0, 4.0, 2.0, 5.0, 0.0]))
    observation = observe([[-1, -1, -1], [0, 1, 2]])
    assert [policy(observation, turn).tolist() for turn in range(3)] == [[[4, 2]] * 2, [[0, 4]] * 2, [[2, 0]] * 2]


def test_a_fixed_slate_among_candidates_is_the_next_on_the_tape_then_the_best_of_the_others(spec):
    policy = FixedSlatePolicy(spec, torch.tensor([4, 2, 0]), torch.tensor([3.0, 1.0, 4.0, 2.0, 5.0, 0.0]))
    observation = observe([[-1, -1, -1]] * 3, [[0, 2, 3, -1], [5, 3, 1, 4], [5, 1, 3, -1]])
    assert policy(observation, 0).tolist() == [[2, 0], [4, 3], [3, 1]]
    assert policy(observation, 1).tolist() == [[0, 2], [4, 3], [3, 1]]


def test_the_oracle_weighs_reward_against_leaving(spec, world):
    truth = Truth({"click": torch.tensor([[0.9, 0.8, 0.1]])}, torch.tensor([[0.5, 0.1, 0.0]]))
    observation = observe([[-1, -1, -1]])
    assert OraclePolicy(world.rewards, 1, 0.0).choose(observation, 0, truth).tolist() == [[0]]
    assert OraclePolicy(world.rewards, 1, 1.0).choose(observation, 0, truth).tolist() == [[1]]
    assert OraclePolicy(world.rewards, 1, 100.0).choose(observation, 0, truth).tolist() == [[2]]
    assert OraclePolicy(world.rewards, 1, 0.0).choose(observe([[-1, -1, -1]], [[1, 2]]), 0, truth).tolist() == [[1]]


class DrawingAgent(Agent):
    """Shows what its generator draws, and notes how it was called."""

    def __init__(self, spec):
        super().__init__(spec, seed=3)
        self.dropout, self.frozen = nn.Dropout(), nn.Linear(2, 2)
        self.frozen.eval()
        self.prepared, self.explored, self.modes, self.gradients = 0, set(), set(), set()

    experience = property(lambda self: NoExperience())

    def prepare_to_act(self):
        self.prepared += 1

    def act(self, observation, explore):
        self.explored.add(explore)
        self.modes.add(self.dropout.training)
        self.gradients.add(torch.is_grad_enabled())
        return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))

    def losses(self, batch):
        yield from ()

    def optimizers(self):
        return {}


def test_an_agent_is_evaluated_without_exploring_learning_or_leaving_a_trace(world):
    environment = world.environment()
    agent = DrawingAgent(environment.spec)
    before = agent.generator.get_state()
    first = rollout(AgentPolicy(agent), environment, world.rewards, seed=0, max_steps=9)
    assert (agent.prepared, agent.explored, agent.modes, agent.gradients) == (1, {False}, {False}, {False})
    assert torch.equal(agent.generator.get_state(), before)
    assert (agent.training, agent.dropout.training, agent.frozen.training) == (True, True, False)
    again = rollout(AgentPolicy(agent), environment, world.rewards, seed=0, max_steps=9)
    assert torch.equal(first.slates, again.slates)


def test_an_agent_that_fails_is_restored_all_the_same(world):
    agent = DrawingAgent(world.environment().spec)
    with pytest.raises(RuntimeError, match="broken"), AgentPolicy(agent):
        raise RuntimeError("broken")
    assert agent.dropout.training
