"""A trained agent as a policy."""

import pytest
import torch
from torch import nn

from recframe.evaluation.agent_policy import AgentPolicy
from recframe.evaluation.ranking import ranking_means
from recframe.evaluation.simulated.rollout import rollout
from recframe.interfaces import Agent, Decision, NoExperience, random_items
from tests.evaluation.ranked_log import make_catalog, make_held_out


class DrawingAgent(Agent):
    """Shows random items from its generator, and records how it was called."""

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

    def rank(self, observation, k):
        self.modes.add(self.dropout.training)
        self.gradients.add(torch.is_grad_enabled())
        return random_items(observation, self.spec.num_items, k, self.generator)

    def losses(self, batch):
        yield from ()

    def optimizers(self):
        return {}


def test_evaluation_does_not_explore_and_restores_the_agent(world):
    environment = world.environment()
    agent = DrawingAgent(environment.spec)
    before = agent.generator.get_state()
    first = rollout(AgentPolicy(agent), environment, world.rewards, seed=0, max_steps=9)
    assert (agent.prepared, agent.explored, agent.modes, agent.gradients) == (1, {False}, {False}, {False})
    assert torch.equal(agent.generator.get_state(), before)
    assert (agent.training, agent.dropout.training, agent.frozen.training) == (True, True, False)
    again = rollout(AgentPolicy(agent), environment, world.rewards, seed=0, max_steps=9)
    assert torch.equal(first.slates, again.slates)


def test_an_agent_ranks_without_gradients_or_dropout_and_is_restored(world):
    environment = world.environment()
    agent = DrawingAgent(environment.spec)
    before = agent.generator.get_state()
    catalog = make_catalog(environment.spec.num_items)
    held_out = make_held_out([[0]] * 5, [[5]] * 5, num_items=len(catalog))
    first = ranking_means(agent, held_out, catalog, history_length=2, ks=(1, 3))
    assert (agent.prepared, agent.modes, agent.gradients) == (1, {False}, {False})
    assert torch.equal(agent.generator.get_state(), before)
    assert (agent.training, agent.dropout.training) == (True, True)
    assert ranking_means(agent, held_out, catalog, history_length=2, ks=(1, 3)) == first


def test_an_agent_that_raises_is_restored_too(world):
    agent = DrawingAgent(world.environment().spec)
    with pytest.raises(RuntimeError, match="broken"), AgentPolicy(agent):
        raise RuntimeError("broken")
    assert agent.dropout.training
