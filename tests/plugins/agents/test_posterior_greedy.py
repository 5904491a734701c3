"""The agent posterior_greedy: which responses it keeps, and that it learns from them what people like."""

from dataclasses import replace

import pytest
import torch

from recframe.evaluation.agent_policy import AgentPolicy
from recframe.evaluation.simulated.rollout import rollout
from recframe.interfaces import transition_of
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.testing import ToyEnvironment, ToyTracker, collect, toy_data, toy_spec, update
from recframe_plugins.agents.baselines.config import PosteriorGreedyConfig
from recframe_plugins.agents.baselines.posterior_greedy import PosteriorGreedy
from tests.references.rating_worlds import click_reward, rating_data, rating_world

DATA = toy_data()


def build(spec, data=DATA, **options):
    return PosteriorGreedy(PosteriorGreedyConfig(**options), spec, ToyTracker(spec, data), seed=0)


def train(agent, environment, chunks, steps=4):
    """All transitions `[T, N]` that the agent was given, in order."""
    observation, rollouts = environment.reset(7), []
    for _ in range(chunks):
        rollouts.append(collect(agent, environment, observation, steps))
        observation = rollouts[-1][1]
        update(agent, {}, rollouts[-1][0])
    return torch.cat([batch for batch, _ in rollouts])


def kept(agent):
    return torch.stack([agent.items, agent.rewards, *agent.signals.unbind(1)], dim=1)


def given(batch, signals):
    values = [batch.slate, batch.item_reward, *(batch.response.signals[name] for name in signals)]
    return torch.stack([value.flatten().float() for value in values], dim=1)


def test_the_last_responses_are_kept():
    spec = toy_spec(DATA, num_users=3, slate_size=2)
    agent = build(spec, responses=40)
    batch = train(agent, ToyEnvironment(spec, DATA), chunks=3)
    expected = given(batch, spec.signals)
    assert agent.num_responses == len(expected) == 72
    assert sorted(kept(agent).tolist()) == sorted(expected[-40:].tolist())
    # one chunk of more responses than are kept
    agent = build(spec, responses=5)
    batch = train(agent, ToyEnvironment(spec, DATA), chunks=1)
    assert sorted(kept(agent).tolist()) == sorted(given(batch, spec.signals)[-5:].tolist())


@pytest.mark.parametrize("has_users", [True, False])
def test_a_person_is_a_row_of_the_data_or_else_a_session(has_users):
    spec = replace(toy_spec(DATA, num_users=3, slate_size=2), has_users=has_users)
    agent = build(spec, responses=10_000)
    batch = train(agent, ToyEnvironment(spec, DATA), chunks=12)
    size = agent.num_responses
    visits = agent.visits[:size].view(-1, 3, 2)
    assert (visits[..., 0] == visits[..., 1]).all()
    ended = (batch.terminated | batch.truncated)[:-1]
    assert ended.any()
    assert not ended.all()
    assert torch.equal(visits[1:, :, 0] != visits[:-1, :, 0], ended)
    assert len(visits.unique()) == int(ended.sum()) + 3
    users = batch.observation.user[:, :, None].expand(-1, -1, 2).flatten()
    assert torch.equal(agent.people[:size], users if has_users else agent.visits[:size])


def test_it_listens_and_beats_the_best_list_for_everybody():
    data = rating_data(seed=0, people=200, items=120)
    rewards = click_reward(data)
    environment, evaluation = rating_world(data, "train", 64), rating_world(data, "evaluation", 256)
    agent = build(environment.spec, data)
    observation = environment.reset(3)
    for _ in range(400):
        decision = agent.act(observation, explore=True)
        step = environment.step(decision.slate)
        transition = transition_of(observation, decision, step)
        transition.item_reward = rewards(transition).item_reward
        list(agent.losses(torch.stack([transition])))
        observation = step.observation
    means = (data.ratings[~data.held_out] >= 4).float().mean(dim=0)
    best = FixedSlatePolicy(evaluation.spec, means.argsort(descending=True)[:10], means)
    listening, same = (rollout(policy, evaluation, rewards, 5, 10).returns.mean() for policy in (AgentPolicy(agent), best))
    assert listening > same + 0.5


def test_random_items_are_shown_before_the_first_response():
    spec = toy_spec(DATA, num_users=200, slate_size=2)
    agent = build(spec, responses=10)
    environment = ToyEnvironment(spec, DATA)
    assert agent.model is None
    assert len(agent.act(environment.reset(0), explore=False).slate.unique()) == 40
