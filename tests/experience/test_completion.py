"""What an agent adds to observations is computed once and stored."""

from dataclasses import replace

import torch

from recframe.experience.completion import completed_step
from recframe.experience.replay import ReplayMemory
from recframe.interfaces import transition_of
from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=40, num_candidates=6, num_excluded=2)


class Counted:
    """A prior that depends on the whole observation, and counts the rows that it was asked for."""

    def __init__(self):
        self.rows = 0

    def __call__(self, observation):
        self.rows += len(observation.user)
        known = (observation.history_items * observation.history_feedback.sum(dim=2)).sum(dim=1)
        return (observation.candidates + 0.1 * known.unsqueeze(1)).sin()


def agent_with(prior):
    torch.manual_seed(0)
    spec = replace(SPEC, prior_weight=1.0)
    agent = DQN(DQNConfig(), spec, ToyTracker(spec, DATA), seed=0)
    agent.use_prior(prior)
    return agent


def test_both_observations_of_a_step_have_the_prior_and_hardly_a_row_is_computed_twice():
    prior, environment = Counted(), ToyEnvironment(SPEC, DATA)
    agent, observation = agent_with(prior), environment.reset(1)
    seen = 0
    for _ in range(12):
        step = environment.step(agent.act(observation, explore=True).slate)
        before = prior.rows
        completed = completed_step(agent, step)
        assert prior.rows - before <= SPEC.num_users + int(step.truncated.sum())
        expected = Counted()
        torch.testing.assert_close(completed.observation.prior, expected(step.observation))
        asked = ~step.terminated
        torch.testing.assert_close(completed.next_observation.prior[asked], expected(step.next_observation)[asked])
        seen += int(step.truncated.sum())
        # the environment's own observations are as they were
        assert step.observation.prior is None
        observation = completed.observation
    assert seen


def test_replay_gives_back_what_was_stored():
    prior, environment = Counted(), ToyEnvironment(SPEC, DATA)
    agent, memory = agent_with(prior), ReplayMemory(200, 0, "cpu")
    observation = agent.completed(environment.reset(1))
    for _ in range(3):
        decision = agent.act(observation, explore=True)
        step = completed_step(agent, environment.step(decision.slate))
        memory.add(transition_of(observation, decision, step))
        observation = step.observation
    again = ReplayMemory(200, 0, "cpu")
    again.load_state_dict(memory.state_dict())
    batch, loaded = memory.sample(64), again.sample(64)
    torch.testing.assert_close(batch.observation.prior, Counted()(batch.observation))
    assert torch.equal(loaded.next_observation.prior, batch.next_observation.prior)


def test_an_agent_without_a_prior_leaves_steps_as_they_are():
    environment = ToyEnvironment(SPEC, DATA)
    agent = DQN(DQNConfig(), SPEC, ToyTracker(SPEC, DATA), seed=0)
    step = environment.step(agent.act(environment.reset(1), explore=True).slate)
    assert completed_step(agent, step).next_observation is step.next_observation
