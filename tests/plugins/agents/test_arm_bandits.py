"""Bandits with coefficients of each item's own: equal to the paper's algorithms in numpy; what they learn that shared ones cannot."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD
from recframe.item_agents import search as item_search
from recframe.plugin_loader import registry
from recframe.testing import (
    ToyEnvironment,
    ToyTracker,
    check_agent,
    toy_data,
    toy_observation,
    toy_spec,
    toy_transition,
    update,
)
from recframe_plugins.agents.bandits import arm_reward, arm_sums
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig, LinUCBConfig, ThompsonConfig
from recframe_plugins.agents.bandits.epsilon_greedy import EpsilonGreedy
from recframe_plugins.agents.bandits.linucb import LinUCB
from recframe_plugins.agents.bandits.thompson import Thompson
from tests.agent_variants import check_variant

DATA = toy_data()
BANDITS = {"epsilon_greedy": (EpsilonGreedy, EpsilonGreedyConfig), "linucb": (LinUCB, LinUCBConfig), "thompson": (Thompson, ThompsonConfig)}
MODELS = ("disjoint", "hybrid")
RIDGE = 0.7
ALPHA = 1.7


def build(name="linucb", model="disjoint", data=DATA, seed=0, spec=None, **options):
    agent, config = BANDITS[name]
    spec = spec or toy_spec(data, slate_size=3, has_context=True, num_features=2)
    extra = {"alpha": ALPHA} if name == "linucb" else {}
    return agent(config(**{"text_dims": 2, "model": model, "ridge": RIDGE} | extra | options), spec, ToyTracker(spec, data), seed=seed)


def batch(agent, users=64, seed=0, items=30):
    """Transitions `[users]` that show some of the 40 items only."""
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.item_reward = torch.randn(transition.slate.shape, generator=generator)
    # some of the shown items are in the history
    transition.observation.history_items[::2, -1] = transition.slate[::2, 0]
    transition.slate %= items
    return transition


def learn(agent, transition):
    """One rollout `[T, N]` of the transitions `[B]`."""
    update(agent, {}, transition.reshape(4, -1))


def observation_of(agent, users=9, seed=5):
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(seed), users=users)
    observation.history_items[:, -2] = observation.history_items[:, -1]  # an item that is in the history twice counts once
    return observation


def features_of(agent, observation):
    """x `[N, M, d]` and z `[N, M, k]` of every user and item, float64."""
    items = agent.model.items()
    users, y = agent.model.users(observation, items).double().numpy(), items[:-1].double().numpy()
    again = np.zeros((len(users), len(y), 1))
    for row, history in enumerate(observation.history_items.numpy()):
        again[row, history[history != PAD]] = 1
    x = np.concatenate([np.repeat(users[:, None], len(y), axis=1), again], axis=2)
    pairs = np.einsum("np,mq->nmpq", users, y).reshape(len(users), len(y), -1)
    return x, np.concatenate([pairs, again], axis=2)


def shown(agent, transition):
    """Each item shown in turn: its number, x, z and reward."""
    x, z = features_of(agent, transition.observation)
    for row, (slate, rewards) in enumerate(zip(transition.slate.numpy(), transition.item_reward.numpy(), strict=True)):
        asked = slate[0] >= agent.spec.first_question
        for place, (item, reward) in enumerate(zip(slate, rewards, strict=True)):
            # nobody sees what comes with a question, or a question at a later place
            if place and (asked or item >= agent.spec.first_question):
                continue
            yield item, x[row, item], z[row, item], reward


class Disjoint:
    """Algorithm 1, line by line; lambda is 1 in the paper."""

    def __init__(self, items, d, k):
        self.A, self.b = np.stack([RIDGE * np.eye(d)] * items), np.zeros((items, d))

    def update(self, a, x, z, r):
        self.A[a] += np.outer(x, x)
        self.b[a] += r * x

    def score(self, a, x, z):
        theta = np.linalg.solve(self.A[a], self.b[a])
        return theta @ x, x @ np.linalg.solve(self.A[a], x)


class Hybrid:
    """Algorithm 2, line by line; lambda is 1 in the paper."""

    def __init__(self, items, d, k):
        self.A0, self.b0 = RIDGE * np.eye(k), np.zeros(k)
        self.A, self.B, self.b = np.stack([RIDGE * np.eye(d)] * items), np.zeros((items, d, k)), np.zeros((items, d))

    def update(self, a, x, z, r):
        inverse = np.linalg.inv(self.A[a])
        self.A0 += self.B[a].T @ inverse @ self.B[a]
        self.b0 += self.B[a].T @ inverse @ self.b[a]
        self.A[a] += np.outer(x, x)
        self.B[a] += np.outer(x, z)
        self.b[a] += r * x
        inverse = np.linalg.inv(self.A[a])
        self.A0 += np.outer(z, z) - self.B[a].T @ inverse @ self.B[a]
        self.b0 += r * z - self.B[a].T @ inverse @ self.b[a]

    def score(self, a, x, z):
        shared, inverse, mixed = np.linalg.inv(self.A0), np.linalg.inv(self.A[a]), self.B[a]
        beta = shared @ self.b0
        theta = inverse @ (self.b[a] - mixed @ beta)
        variance = z @ shared @ z - 2 * z @ shared @ mixed.T @ inverse @ x + x @ inverse @ x
        return z @ beta + x @ theta, variance + x @ inverse @ mixed @ shared @ mixed.T @ inverse @ x


PAPER = {"disjoint": Disjoint, "hybrid": Hybrid}


def by_the_paper(agent, model, transitions):
    """The paper's algorithm after the transitions."""
    x, z = features_of(agent, transitions[0].observation)
    algorithm = PAPER[model](agent.spec.num_items, x.shape[2], z.shape[2])
    for transition in transitions:
        for interaction in shown(agent, transition):
            algorithm.update(*interaction)
    return algorithm


def scores_of(algorithm, agent, observation):
    """Expected rewards and variances `[N, M]` by the paper."""
    x, z = features_of(agent, observation)
    values = [[algorithm.score(a, x[n, a], z[n, a]) for a in range(x.shape[1])] for n in range(len(x))]
    return np.array(values).transpose(2, 0, 1)


@pytest.mark.parametrize("numbers", [500, 2**22])
@pytest.mark.parametrize("model", MODELS)
def test_bounds_equal_those_of_the_paper(model, numbers, monkeypatch):
    for module in (arm_sums, arm_reward):
        monkeypatch.setattr(module, "MAX_NUMBERS", numbers)
    agent = build(model=model)
    transitions = [batch(agent, seed=0), batch(agent, users=32, seed=1)]
    for transition in transitions:
        learn(agent, transition)
        agent.prepare_to_act()
    observation = observation_of(agent)
    expected, variance = scores_of(by_the_paper(agent, model, transitions), agent, observation)
    posterior, items = agent.knowledge
    np.testing.assert_allclose(agent.model.expected(observation, items, posterior.mean).scores.numpy(), expected, atol=1e-4)
    bounds = expected + ALPHA * np.sqrt(variance)
    np.testing.assert_allclose(agent.bounds(observation).between(0, 40).numpy(), bounds, atol=1e-3)
    assert np.abs(expected).max() > 0.3
    assert np.array_equal(agent.act(observation, explore=False).slate.numpy(), (-expected).argsort(axis=1)[:, :3])
    assert np.array_equal(agent.act(observation, explore=True).slate.numpy(), (-bounds).argsort(axis=1)[:, :3])


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_learned_of_places_that_nobody_saw(model):
    agent = build(model=model, spec=replace(toy_spec(DATA, slate_size=3), num_questions=12))
    transition = batch(agent, items=40)
    learn(agent, transition)
    agent.prepare_to_act()
    observation = observation_of(agent)
    expected, variance = scores_of(by_the_paper(agent, model, [transition]), agent, observation)
    bounds = expected + ALPHA * np.sqrt(variance)
    np.testing.assert_allclose(agent.bounds(observation).between(0, 40).numpy(), bounds, atol=1e-3)
    assert sum(1 for _ in shown(agent, transition)) < 0.7 * transition.slate.numel()


@pytest.mark.parametrize("model", MODELS)
def test_linucb_reduces_the_variance_of_shown_items_before_their_rewards_arrive(model):
    agent = build(model=model)
    first = batch(agent)
    learn(agent, first)
    agent.prepare_to_act()
    algorithm, ahead = by_the_paper(agent, model, [first]), by_the_paper(agent, model, [first])
    for seed in (5, 6, 7):
        observation, again = observation_of(agent, seed=seed), observation_of(agent, seed=8)
        slate = agent.act(observation, explore=True).slate.numpy()
        x, z = features_of(agent, observation)
        for row, items in enumerate(slate):
            for item in items:
                ahead.update(item, x[row, item], z[row, item], 0.0)
        bounds = scores_of(algorithm, agent, again)[0] + ALPHA * np.sqrt(scores_of(ahead, agent, again)[1])
        np.testing.assert_allclose(agent.bounds(again).between(0, 40).numpy(), bounds, atol=1e-3)
    agent.prepare_to_act()
    bounds = scores_of(algorithm, agent, again)[0] + ALPHA * np.sqrt(scores_of(algorithm, agent, again)[1])
    np.testing.assert_allclose(agent.bounds(again).between(0, 40).numpy(), bounds, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_thompson_draws_have_the_mean_and_the_covariance_of_the_posterior(model):
    agent = build("thompson", model)
    transition = batch(agent)
    learn(agent, transition)
    one = observation_of(agent, users=2)[1:]
    algorithm = by_the_paper(agent, model, [transition])
    expected, variance = (values[0] for values in scores_of(algorithm, agent, one))
    posterior, items = agent.knowledge
    draws = agent.model.sampled(one.expand(20_000).clone(), items, posterior, 0.5, agent.generator).scores.double().numpy()
    spread = 0.5 * np.sqrt(variance)
    assert (np.abs(draws.mean(axis=0) - expected) < 5 * spread / 20_000**0.5 + 1e-4).all()
    np.testing.assert_allclose(draws.std(axis=0), spread, rtol=0.05)
    correlation = np.corrcoef(draws.T)[~np.eye(40, dtype=bool)]
    if model == "disjoint":
        assert np.abs(correlation).max() < 0.05
    else:
        x, z = (values[0] for values in features_of(agent, one))
        carried = np.stack([z[a] - algorithm.B[a].T @ np.linalg.solve(algorithm.A[a], x[a]) for a in range(40)])
        covariance = 0.25 * carried @ np.linalg.solve(algorithm.A0, carried.T) / np.outer(spread, spread)
        np.testing.assert_allclose(correlation, covariance[~np.eye(40, dtype=bool)], atol=0.05)
        assert np.abs(correlation).max() > 0.2


@pytest.mark.parametrize("model", MODELS)
def test_items_without_rewards_have_the_prior(model):
    agent = build(model=model)
    learn(agent, batch(agent))
    posterior, items = agent.knowledge
    observation = observation_of(agent)
    observation.history_items.fill_(PAD)
    expected = agent.model.expected(observation, items, posterior.mean).scores[:, 30:]
    if model == "disjoint":
        assert expected.abs().max() == 0
        torch.testing.assert_close(posterior.covariance[30:], torch.eye(posterior.mean.shape[1]).expand(10, -1, -1) / RIDGE)
    else:
        beta = posterior.shared.mean
        matrix = beta[:-1].unflatten(0, (agent.model.user_size, agent.model.item_size))
        torch.testing.assert_close(expected, agent.model.users(observation, items) @ matrix @ items[30:-1].T, atol=1e-5, rtol=1e-4)
        assert expected.abs().max() > 0.01


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", [*BANDITS, "greedy_reward"])
def test_bandits_conform(name, model):
    component = registry().get("agent", name)
    check_variant(component, component.config(text_dims=1, model=model, response_dims=3))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", BANDITS)
def test_bandits_conform_without_text_vectors(name, model):
    agent = build(name, model, data=toy_data(dim=0))
    check_agent(agent, ToyEnvironment(agent.spec, DATA))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("candidates", [0, 9])
@pytest.mark.parametrize("name", BANDITS)
def test_scoring_the_catalogue_in_parts_gives_the_same_slates(name, candidates, model, monkeypatch):
    spec = toy_spec(DATA, slate_size=3, num_excluded=4, num_candidates=candidates)
    agent, twin = build(name, model, spec=spec), build(name, model, spec=spec)
    for one in (agent, twin):
        # items without rewards would have equal scores
        learn(one, batch(one, items=40))
    observation = observation_of(agent)
    slates = [agent.act(observation, explore).slate for explore in (False, True)]
    monkeypatch.setattr(item_search, "MAX_SCORES", 7 * len(observation))
    assert all(torch.equal(twin.act(observation, explore).slate, slate) for explore, slate in zip((False, True), slates, strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_a_loaded_agent_continues_to_the_last_digit(model):
    agent = build("thompson", model, response_dims=5)
    learn(agent, batch(agent))
    agent.prepare_to_act()
    twin = build("thompson", model, response_dims=5, seed=9)
    learn(twin, batch(twin, seed=3))
    twin.prepare_to_act()
    twin.load_state_dict(copy.deepcopy(agent.state_dict()))
    for seed in (4, 5):
        assert all(torch.equal(agent.act(observation_of(agent), True).slate, twin.act(observation_of(twin), True).slate) for _ in range(2))
        for one in (agent, twin):
            learn(one, batch(one, seed=seed))
            one.prepare_to_act()
        assert torch.equal(agent.knowledge.posterior.mean, twin.knowledge.posterior.mean)
        assert torch.equal(agent.knowledge.posterior.covariance, twin.knowledge.posterior.covariance)


@pytest.mark.parametrize("model", MODELS)
def test_matrices_that_are_too_large_are_refused_with_their_size(model, monkeypatch):
    monkeypatch.setattr(arm_reward, "MAX_BYTES", 2**14)
    with pytest.raises(
        ValueError, match=rf"agent.model={model} keeps .* for each of 40 items, 0.\d\d GiB.*agent.text_dims \(now 2\).*shared"
    ):
        build(model=model)


@pytest.mark.parametrize("dims", [7, 40])
def test_responses_are_features_at_the_place_of_their_item(dims):
    agent = build(response_dims=dims)
    learn(agent, batch(agent))
    responses = agent.model.responses
    observation = observation_of(agent)
    history, feedback = observation.history_items.numpy(), np.log1p(observation.history_feedback.double().numpy())
    mean = (responses.total / responses.count).numpy()
    seen = batch(agent).observation
    known = seen.history_items.numpy() != PAD
    np.testing.assert_allclose(mean, np.log1p(seen.history_feedback.double().numpy())[known].mean(axis=0), rtol=1e-5)
    expected = np.zeros((len(history), 2, dims))
    for row, items in enumerate(history):
        kept = items != PAD
        for item, values in zip(items[kept], feedback[row][kept], strict=True):
            expected[row, :, responses.places[item]] += float(responses.signs[item]) * (values - mean) / np.sqrt(kept.sum())
    users = agent.model.users(observation, agent.model.items())
    np.testing.assert_allclose(users[:, -2 * dims :].numpy(), expected.reshape(len(history), -1), atol=1e-5)
    if dims == 40:
        assert torch.equal(responses.places, torch.arange(40))
        assert bool((responses.signs == 1).all())
    else:
        assert set(torch.bincount(responses.places, minlength=7).tolist()) == {5, 6}
        assert set(responses.signs.tolist()) == {-1.0, 1.0}
