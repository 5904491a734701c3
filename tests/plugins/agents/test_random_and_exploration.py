"""Random choices: uniform, among allowed items, with known probabilities, and with a fixed number of random draws."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD, num_allowed, scoring
from recframe.item_agents.exploration import epsilon_greedy, linear_schedule
from recframe.testing import check_component, toy_data, toy_observation, toy_spec
from recframe_plugins.agents.baselines.config import RandomConfig
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.registration import recframe_register_components

DATA = toy_data()
COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.setdefault(component.name, component))


def random_agent(**choices):
    spec = toy_spec(DATA, **choices)
    return RandomAgent(RandomConfig(), spec, None, seed=0), spec


def observations(spec, users):
    return toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=users)


def test_the_agent_passes_the_checks():
    check_component(COMPONENTS["random"])


@pytest.mark.parametrize("slate_size", [1, 3])
def test_all_items_are_equally_probable(slate_size):
    agent, spec = random_agent(slate_size=slate_size)
    users = 20_000
    counts = torch.bincount(agent.act(observations(spec, users), explore=False).slate.flatten(), minlength=spec.num_items)
    share = slate_size / spec.num_items
    assert ((counts / users - share).abs() < 5 * math.sqrt(share / users)).all()


@pytest.mark.parametrize(("slate_size", "excluded"), [(1, [5, PAD, 5, 2]), (2, [PAD, PAD, PAD, PAD]), (3, [0, 6, PAD, 3])])
def test_all_slates_of_a_large_catalogue_are_equally_probable(slate_size, excluded, monkeypatch):
    monkeypatch.setattr(scoring, "MANY_ITEMS", 1)
    users, observation = 50_000, observations(toy_spec(DATA), 50_000)
    observation.excluded = torch.tensor(excluded).expand(users, -1)
    slate = scoring.random_items(observation, 7, slate_size, torch.Generator().manual_seed(0))
    allowed = [item for item in range(7) if item not in excluded]
    slates = list(itertools.permutations(allowed, slate_size))
    radix = 7 ** torch.arange(slate_size)
    numbers = torch.tensor([(torch.tensor(one) * radix).sum() for one in slates])
    found, counts = (slate * radix).sum(dim=1).unique(return_counts=True)
    assert torch.equal(found, numbers.sort().values)
    share = 1 / len(slates)
    assert ((counts / users - share).abs() < 5 * math.sqrt(share / users)).all()


def test_the_log_probability_of_a_random_slate():
    agent, spec = random_agent(slate_size=2, num_candidates=6)
    observation = observations(spec, 10)
    n = (observation.candidates != PAD).sum(dim=1)
    assert n.unique().tolist() == [5, 6]
    torch.testing.assert_close(agent.act(observation, explore=True).log_prob, -(n * (n - 1.0)).log())


@pytest.mark.parametrize("candidates", [None, [[0, 1, 2, 3], [4, 5, PAD, PAD]]])
def test_excluded_items_are_not_chosen(candidates):
    agent, spec = random_agent()
    observation = observations(spec, 2)
    observation.candidates = None if candidates is None else torch.tensor(candidates)
    assert num_allowed(observation, spec.num_items).tolist() == ([40, 40] if candidates is None else [4, 2])
    observation.excluded = torch.tensor([[1, 7, 1, PAD], [5, PAD, PAD, PAD]])  # 7 is not a candidate, and 1 occurs twice
    allowed = num_allowed(observation, spec.num_items)
    assert allowed.tolist() == ([38, 39] if candidates is None else [3, 1])
    for _ in range(50):
        slate, log_prob = agent.act(observation, explore=True)
        torch.testing.assert_close(log_prob, -allowed.log())
        assert not (slate == observation.excluded).any()


def test_continuous_actions_are_uniform_within_the_bounds():
    _, spec = random_agent()
    spec = replace(spec, actions="continuous", num_items=1, action_low=(-2.0, 10.0, 0.1), action_high=(2.0, 10.5, 0.3))
    agent, users = RandomAgent(RandomConfig(), spec, None, seed=0), 20_000
    action, log_prob = agent.act(observations(spec, users), explore=False)
    low, high = torch.tensor(spec.action_low), torch.tensor(spec.action_high)
    assert ((action >= low) & (action <= high)).all()
    # the moments of a uniform variable, within five standard errors
    where = (action - low) / (high - low)
    assert ((where.mean(dim=0) - 1 / 2).abs() < 5 * (1 / 12 / users) ** 0.5).all()
    assert ((where.square().mean(dim=0) - 1 / 3).abs() < 5 * (4 / 45 / users) ** 0.5).all()
    assert (torch.corrcoef(where.T) - torch.eye(3)).abs().max() < 5 / users**0.5
    torch.testing.assert_close(log_prob, torch.full((users,), -math.log(4 * 0.5 * 0.2)))


def test_epsilon_greedy_items_have_the_stated_probabilities():
    _, spec = random_agent()
    users, epsilon = 20_000, 0.4
    greedy = torch.full((users, 1), 7)
    decision = epsilon_greedy(observations(spec, users), greedy, epsilon, spec.num_items, torch.Generator().manual_seed(0))
    hit = (decision.slate == 7).squeeze(1)
    expected = 1 - epsilon + epsilon / spec.num_items
    assert abs(hit.float().mean() - expected) < 0.02
    torch.testing.assert_close(decision.log_prob[hit].exp().unique(), torch.tensor([expected]))
    torch.testing.assert_close(decision.log_prob[~hit].exp().unique(), torch.tensor([epsilon / spec.num_items]))


@pytest.mark.parametrize("num_candidates", [0, 6])
def test_random_draws_do_not_depend_on_epsilon_or_the_greedy_items(num_candidates):
    _, spec = random_agent(num_candidates=num_candidates)
    observation, states = observations(spec, 8), []
    for epsilon, item in ((0.0, 1), (0.5, 2), (1.0, 3)):
        generator = torch.Generator().manual_seed(0)
        epsilon_greedy(observation, torch.full((8, 1), item), epsilon, spec.num_items, generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_random_choices_of_epsilon_greedy_are_candidates():
    _, spec = random_agent(num_candidates=3)
    observation = observations(spec, 200)
    decision = epsilon_greedy(observation, observation.candidates[:, :1], 1.0, spec.num_items, torch.Generator().manual_seed(0))
    assert (decision.slate == observation.candidates).any(dim=1).all()
    assert decision.log_prob.isfinite().all()


def test_the_schedule_is_linear_and_then_constant():
    assert [linear_schedule(1.0, 0.2, 100, steps) for steps in (0, 25, 100, 10**9)] == pytest.approx([1.0, 0.8, 0.2, 0.2])


def test_epsilon_greedy_slates_have_the_stated_probabilities():
    _, spec = random_agent(slate_size=3)
    users, epsilon = 20_000, 0.4
    greedy = torch.tensor([[7, 3, 11]]).expand(users, -1)
    slate, log_prob = epsilon_greedy(observations(spec, users), greedy, epsilon, spec.num_items, torch.Generator().manual_seed(0))
    hit, rare = (slate == greedy).all(dim=1), epsilon / (40 * 39 * 38)
    assert abs(hit.float().mean() - 0.6) < 0.02
    torch.testing.assert_close(log_prob.exp(), torch.where(hit, 0.6 + rare, rare))


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_probabilities_are_finite_for_epsilon_0_and_1(epsilon):
    _, spec = random_agent(slate_size=3)
    greedy = torch.tensor([[7, 3, 11]]).expand(50, -1)
    slate, log_prob = epsilon_greedy(observations(spec, 50), greedy, epsilon, spec.num_items, torch.Generator().manual_seed(0))
    assert torch.equal(slate, greedy) == (epsilon == 0.0)
    torch.testing.assert_close(log_prob, torch.full((50,), epsilon * -math.log(40 * 39 * 38)))
