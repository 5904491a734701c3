"""What DQN's options change, against the equations: dueling, several steps, priorities, weights."""

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
    """Q(s, i) of all items, `[N, M]`, as the network gives it for chosen items."""
    with torch.no_grad():
        items = network.state_tracker.project_items()
        everything = torch.arange(len(items)).expand(len(observation.user), -1)
        return network(observation, items).of(everything)


def target_of(agent, transition):
    return agent.td_target(transition, agent.working_set.whole, agent.online.state_tracker.project_items().detach())


def loss_of(agent, transition):
    ((_, loss),) = agent.losses(transition)
    return loss


def test_dueling_makes_the_state_value_the_mean_of_all_items_never_shown():
    agent, plain = build(dueling=True), build(dueling=False)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=30)
    unseen = observation.clone()
    unseen.history_items = torch.full_like(observation.history_items, PAD)
    with torch.no_grad():
        value = agent.online.value(agent.online.state_tracker(unseen, agent.online.state_tracker.project_items())).squeeze(1)
    torch.testing.assert_close(all_q(agent.online, unseen).mean(dim=1), value)
    assert (all_q(plain.online, unseen).mean(dim=1) - value).abs().min() > 1e-4
    # equation (9) less equation (7) of Wang et al. (2016): the same for all items, so that the best item is the same
    shift = all_q(agent.online, observation) - all_q(plain.online, observation)
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dueling", [False, True])
def test_ranking_the_catalogue_and_valuing_items_agree(dueling):
    agent = build(dueling=dueling)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=30)
    with torch.no_grad():
        evaluation = agent.online(observation, agent.online.state_tracker.project_items())
    number = agent.spec.num_items
    expected = all_q(agent.online, observation) - evaluation.value.unsqueeze(1)
    torch.testing.assert_close(evaluation.between(0, number), expected)
    torch.testing.assert_close(evaluation.between(7, 19), expected[:, 7:19])


@pytest.mark.parametrize("double", [True, False])
def test_what_a_replayed_transition_of_several_steps_says_counts_for_the_value(double):
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


def test_its_priorities_are_the_sizes_of_the_errors():
    agent, transition = build(), batch(build())
    assert agent.priorities() is None
    loss_of(agent, transition)
    shown = all_q(agent.online, transition.observation).gather(1, transition.slate).squeeze(1)
    torch.testing.assert_close(agent.priorities(), (target_of(agent, transition) - shown).abs())
    assert not agent.priorities().requires_grad
