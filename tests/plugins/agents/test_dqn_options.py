"""DQN's options against their equations: dueling, n-step returns, priorities and importance weights."""

import pytest
import torch

from recframe.interfaces import PAD
from recframe.testing import ToyTracker, toy_data, toy_observation, toy_spec, toy_transition
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN

DATA = toy_data()


def build(seed=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA)
    return DQN(DQNConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)


def batch(agent, users=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.reward = torch.randn(users, generator=generator)
    transition.terminated = torch.arange(users) % 4 == 0
    return transition


def all_q(network, observation):
    """Q(s, i) of all items, `[N, M]`, by `QValues.of`."""
    with torch.no_grad():
        items = network.state_tracker.project_items()
        everything = torch.arange(len(items)).expand(len(observation.user), -1)
        return network(observation, items).of(everything)


def target_of(agent, transition):
    return agent.td_target(transition, agent.working_set.whole, agent.online.state_tracker.project_items().detach())


def loss_of(agent, transition):
    ((_, loss),) = agent.losses(transition)
    return loss


def test_with_dueling_the_state_value_is_the_mean_of_items_not_shown():
    agent, plain = build(dueling=True), build(dueling=False)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=30)
    unseen = observation.clone()
    unseen.history_items = torch.full_like(observation.history_items, PAD)
    with torch.no_grad():
        value = agent.online.value(agent.online.state_tracker(unseen, agent.online.state_tracker.project_items())).squeeze(1)
    torch.testing.assert_close(all_q(agent.online, unseen).mean(dim=1), value)
    assert (all_q(plain.online, unseen).mean(dim=1) - value).abs().min() > 1e-4
    # the difference of equations (9) and (7) of Wang et al. (2016) is the same for all items, so the best item is the same
    shift = all_q(agent.online, observation) - all_q(plain.online, observation)
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dueling", [False, True])
def test_ranking_scores_are_q_values_less_the_state_value(dueling):
    agent = build(dueling=dueling)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=30)
    with torch.no_grad():
        q_values = agent.online(observation, agent.online.state_tracker.project_items())
    number = agent.spec.num_items
    expected = all_q(agent.online, observation) - q_values.value.unsqueeze(1)
    torch.testing.assert_close(q_values.between(0, number), expected)
    torch.testing.assert_close(q_values.between(7, 19), expected[:, 7:19])


@pytest.mark.parametrize("double", [True, False])
def test_the_target_uses_the_discount_of_n_step_transitions(double):
    agent = build(double=double, n_step=3)
    plain = batch(agent)
    several = plain.clone()
    several.discount = torch.linspace(0.1, 0.9, 64)
    next_value = (target_of(agent, plain) - plain.reward) / agent.config.gamma
    torch.testing.assert_close(target_of(agent, several), plain.reward + several.discount * next_value)


@pytest.mark.parametrize("loss", ["huber", "mse"])
def test_the_loss_is_weighted_by_importance(loss):
    agent, transition = build(loss=loss), batch(build())
    each = torch.stack([loss_of(agent, transition[row : row + 1]).detach() for row in range(64)])
    torch.testing.assert_close(loss_of(agent, transition).detach(), each.mean())
    transition.weight = torch.linspace(0.0, 1.0, 64)
    torch.testing.assert_close(loss_of(agent, transition).detach(), (transition.weight * each).mean())


def test_priorities_are_the_absolute_errors():
    agent, transition = build(), batch(build())
    assert agent.priorities() is None
    loss_of(agent, transition)
    shown = all_q(agent.online, transition.observation).gather(1, transition.slate).squeeze(1)
    torch.testing.assert_close(agent.priorities(), (target_of(agent, transition) - shown).abs())
    assert not agent.priorities().requires_grad
