"""Linear bandits: posterior, bounds and draws equal those of numpy; features; the bandits learn, but do not plan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD, Rollout
from recframe.item_agents import search as item_search
from recframe.plugin_loader import registry
from recframe.testing import (
    ToyEnvironment,
    ToyTracker,
    check_agent,
    check_component,
    collect,
    toy_data,
    toy_observation,
    toy_spec,
    toy_transition,
    update,
)
from recframe_plugins.agents.bandits import linear_reward, linear_scores
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig, LinUCBConfig, ThompsonConfig
from recframe_plugins.agents.bandits.epsilon_greedy import EpsilonGreedy
from recframe_plugins.agents.bandits.linucb import LinUCB
from recframe_plugins.agents.bandits.reward_features import text_axes
from recframe_plugins.agents.bandits.thompson import Thompson
from recframe_plugins.agents.baselines.random import RandomAgent

DATA = toy_data()
BANDITS = {"epsilon_greedy": (EpsilonGreedy, EpsilonGreedyConfig), "linucb": (LinUCB, LinUCBConfig), "thompson": (Thompson, ThompsonConfig)}
EVERYTHING = {"slate_size": 3, "has_context": True, "num_features": 2}


def build(name="linucb", data=DATA, spec=None, seed=0, **options):
    agent, config = BANDITS[name]
    spec = spec or toy_spec(data, **EVERYTHING)
    return agent(config(**{"text_dims": 3} | options), spec, ToyTracker(spec, data), seed=seed)


def batch(agent, users=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.item_reward = torch.randn(transition.slate.shape, generator=generator)
    # some of the shown items are in the history
    transition.observation.history_items[::2, -1] = transition.slate[::2, 0]
    return transition


def learn(agent, transition):
    """One rollout `[T, N]` of the transitions `[B]`."""
    update(agent, {}, transition.reshape(4, -1))


def phi(agent, observation):
    """phi(u, i) of every user and item, float64 `[N, M, n]`, from x, y and the history."""
    items = agent.model.items()
    x, y = agent.model.users(observation, items).double().numpy(), items[:-1].double().numpy()
    pairs = np.einsum("np,mq->nmpq", x, y).reshape(len(x), len(y), -1)
    shown = np.zeros((len(x), len(y), 1))
    for row, history in enumerate(observation.history_items.numpy()):
        shown[row, history[history != PAD]] = 1
    return np.concatenate([pairs, shown], axis=2)


def ridge(agent, transition, strength):
    """A^-1 b and A^-1 of Bayesian linear regression on the shown items, written out."""
    features = phi(agent, transition.observation)
    rows, places = seen(agent.spec, transition.slate).nonzero()
    design = features[rows, transition.slate.numpy()[rows, places]]
    precision = strength * np.eye(design.shape[1]) + design.T @ design
    return np.linalg.solve(precision, design.T @ transition.item_reward.numpy()[rows, places]), np.linalg.inv(precision)


def seen(spec, slate):
    """Which places of slates `[N, K]` a person sees: a question alone, and of other slates all but questions."""
    question = slate.numpy() >= spec.first_question
    first = np.arange(question.shape[1]) == 0
    return np.where(question[:, :1], first, ~question)


def observation_of(agent, users=9, seed=5):
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(seed), users=users)
    observation.history_items[:, -2] = observation.history_items[:, -1]  # an item that is in the history twice counts once
    return observation


@pytest.mark.parametrize(
    "component", [registry().get("agent", name) for name in ("epsilon_greedy", "linucb", "thompson")], ids=lambda component: component.name
)
def test_bandits_conform(component):
    check_component(component, component.config(text_dims=4))
    assert component.provides == {"slates", "ranks"}


@pytest.mark.parametrize("name", BANDITS)
def test_bandits_conform_without_text_vectors(name):
    agent = build(name, data=toy_data(dim=0))
    check_agent(agent, ToyEnvironment(agent.spec, DATA))


def test_the_posterior_is_that_of_ridge_regression():
    agent = build(ridge=0.7)
    first, second = batch(agent, seed=0), batch(agent, seed=1)
    learn(agent, first)
    learn(agent, second)
    mean, covariance = ridge(agent, torch.cat([first, second]), 0.7)
    posterior = agent.model.posterior()
    np.testing.assert_allclose(posterior.mean.numpy(), mean, atol=1e-4)
    np.testing.assert_allclose(posterior.covariance.numpy(), covariance, atol=1e-4)
    assert np.abs(mean).max() > 0.3


def test_nothing_is_learned_of_places_that_nobody_saw():
    spec = replace(toy_spec(DATA, **EVERYTHING), num_questions=12)
    agent = build(spec=spec, ridge=0.7)
    transition = batch(agent)
    hidden = ~seen(spec, transition.slate)
    transition.item_reward[torch.from_numpy(hidden)] = 0.0
    learn(agent, transition)
    assert 0.3 < hidden.mean() < 0.6
    mean, covariance = ridge(agent, transition, 0.7)
    np.testing.assert_allclose(agent.model.posterior().mean.numpy(), mean, atol=1e-4)
    np.testing.assert_allclose(agent.model.posterior().covariance.numpy(), covariance, atol=1e-4)
    # what LinUCB shows next makes nothing else less uncertain, either
    twin = build(spec=spec, ridge=0.7)
    after = twin.model.after(twin.model.posterior(), transition.observation, transition.slate, twin.model.items())
    np.testing.assert_allclose(after.covariance.numpy(), covariance, atol=1e-4)


def test_the_size_of_chunks_does_not_change_what_is_learned(monkeypatch):
    whole, parts = build(), build()
    transition = batch(whole)
    learn(whole, transition)
    monkeypatch.setattr(linear_reward, "ROWS", 20)
    learn(parts, transition)
    torch.testing.assert_close(whole.model.precision, parts.model.precision)
    torch.testing.assert_close(whole.model.cross, parts.model.cross)


def test_expected_rewards_equal_those_of_the_model():
    agent = build()
    learn(agent, batch(agent))
    observation = observation_of(agent)
    posterior, items = agent.knowledge
    expected = phi(agent, observation) @ posterior.mean.double().numpy()
    np.testing.assert_allclose(agent.model.expected(observation, items, posterior.mean).between(0, 40).numpy(), expected, atol=1e-4)
    assert np.array_equal(agent.act(observation, explore=False).slate.numpy(), (-expected).argsort(axis=1)[:, :3])


@pytest.mark.parametrize("chunk", [7, 8_192])
def test_linucb_bounds_equal_those_of_the_paper(chunk, monkeypatch):
    monkeypatch.setattr(linear_scores, "CHUNK", chunk)
    agent = build(alpha=1.7, ridge=0.7)
    transition = batch(agent)
    learn(agent, transition)
    observation = observation_of(agent)
    mean, covariance = ridge(agent, transition, 0.7)
    features = phi(agent, observation)
    bounds = features @ mean + 1.7 * np.sqrt(np.einsum("nmi,ij,nmj->nm", features, covariance, features))
    np.testing.assert_allclose(agent.bounds(observation).between(0, 40).numpy(), bounds, atol=1e-3)
    assert np.array_equal(agent.act(observation, explore=True).slate.numpy(), (-bounds).argsort(axis=1)[:, :3])
    assert not np.array_equal(agent.act(observation, explore=False).slate.numpy(), (-bounds).argsort(axis=1)[:, :3])


@pytest.mark.parametrize("candidates", [0, 9])
@pytest.mark.parametrize("name", BANDITS)
def test_scoring_the_catalogue_in_parts_gives_the_same_slates(name, candidates, monkeypatch):
    spec = toy_spec(DATA, **EVERYTHING, num_excluded=4, num_candidates=candidates)
    agent, twin = build(name, spec=spec), build(name, spec=spec)
    for one in (agent, twin):
        learn(one, batch(one))
    observation = observation_of(agent)
    slates = [agent.act(observation, explore).slate for explore in (False, True)]
    monkeypatch.setattr(item_search, "MAX_SCORES", 7 * len(observation))
    assert all(torch.equal(twin.act(observation, explore).slate, slate) for explore, slate in zip((False, True), slates, strict=True))


def test_chosen_items_and_parts_of_the_catalogue_have_the_same_scores():
    agent = build()
    learn(agent, batch(agent))
    observation = observation_of(agent)
    scores = agent.bounds(observation)
    whole = scores.between(0, 40)
    torch.testing.assert_close(torch.cat([scores.between(0, 13), scores.between(13, 39), scores.between(39, 40)], dim=1), whole)
    chosen = torch.cat([observation.history_items.clamp(min=0), torch.arange(40).expand(len(observation), -1)], dim=1)
    torch.testing.assert_close(scores.of(chosen), whole.gather(1, chosen))


@pytest.mark.parametrize("rows", [4, 2_048])
def test_linucb_reduces_the_variance_of_shown_items_before_their_rewards_arrive(rows, monkeypatch):
    monkeypatch.setattr(linear_reward, "ROWS", rows)
    agent = build(alpha=1.7, ridge=0.7)
    first = batch(agent)
    learn(agent, first)
    agent.prepare_to_act()
    shown = []
    for seed in (5, 6, 7):
        observation, again = observation_of(agent, seed=seed), observation_of(agent, seed=8)
        slate = agent.act(observation, explore=True).slate.numpy()
        features = phi(agent, observation)
        shown += [features[row, items] for row, items in enumerate(slate)]
        mean, covariance = ridge(agent, first, 0.7)
        covariance = np.linalg.inv(np.linalg.inv(covariance) + np.concatenate(shown).T @ np.concatenate(shown))
        features = phi(agent, again)
        bounds = features @ mean + 1.7 * np.sqrt(np.einsum("nmi,ij,nmj->nm", features, covariance, features))
        np.testing.assert_allclose(agent.bounds(again).between(0, 40).numpy(), bounds, atol=1e-3)
    agent.prepare_to_act()
    np.testing.assert_allclose(agent.knowledge.posterior.covariance.numpy(), ridge(agent, first, 0.7)[1], atol=1e-4)


def test_linucb_shows_several_items_within_a_chunk():
    agent = build(spec=toy_spec(DATA), alpha=2.0)
    agent.prepare_to_act()
    one = observation_of(agent, users=6)[3:4].expand(30).clone()
    tried = [agent.act(one, explore=True).slate[0].item() for _ in range(12)]
    assert len(set(tried)) >= 6


def test_thompson_draws_from_the_posterior():
    spec = toy_spec(DATA, signals=("click",), history_length=1)
    agent = build("thompson", data=DATA._replace(users=None, contexts=None), spec=spec, text_dims=1, scale=0.5, ridge=0.7)
    transition = batch(agent)
    learn(agent, transition)
    mean, covariance = ridge(agent, transition, 0.7)
    draws = agent.model.draw(agent.knowledge.posterior, 40_000, 0.5, agent.generator).double().numpy()
    spread = np.sqrt(np.diag(covariance)) * 0.5
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * spread / 200).all()
    np.testing.assert_allclose(np.cov(draws.T) / np.outer(spread, spread), 0.25 * covariance / np.outer(spread, spread), atol=0.03)


def test_thompson_shows_the_best_items_under_its_draw():
    agent, twin = build("thompson"), build("thompson")
    learn(agent, batch(agent))
    learn(twin, batch(agent))
    observation = observation_of(agent)
    scores = np.einsum(
        "nmi,ni->nm",
        phi(agent, observation),
        twin.model.draw(twin.knowledge.posterior, len(observation), twin.scale, twin.generator).double().numpy(),
    )
    assert np.array_equal(agent.act(observation, explore=True).slate.numpy(), (-scores).argsort(axis=1)[:, :3])


def test_epsilon_greedy_explores_less_over_time():
    agent = build("epsilon_greedy", epsilon_start=1.0, epsilon_end=0.2, epsilon_decay_steps=100)
    learn(agent, batch(agent))
    observation = observation_of(agent, users=6)[5:].expand(8_000).clone()
    greedy = agent.act(observation, explore=False).slate
    for agent.env_steps, epsilon in ((0, 1.0), (50, 0.6), (1_000, 0.2)):
        slate, log_prob = agent.act(observation, explore=True)
        same = (slate == greedy).all(dim=1)
        by_chance = epsilon / (40 * 39 * 38)
        assert float(same.float().mean()) == pytest.approx(1 - epsilon, abs=0.03)
        assert agent.diagnostics() == {"epsilon": pytest.approx(epsilon)}
        torch.testing.assert_close(log_prob[~same].exp(), torch.full_like(log_prob[~same], by_chance))
        torch.testing.assert_close(log_prob[same].exp(), torch.full_like(log_prob[same], 1 - epsilon + by_chance))


def test_user_features_hold_the_history_and_its_feedback():
    agent = build()
    observation = observation_of(agent, users=3)
    items, axes = agent.model.items(), agent.model.axes
    texts = agent.model.texts.values @ axes
    x = agent.model.users(observation, items)[2] * agent.model.user_size**0.5
    shown = (observation.history_items[2] != PAD).nonzero().squeeze(1)
    assert len(shown) == 2
    feedback = observation.history_feedback[2, shown].log1p()
    vectors = texts[observation.history_items[2, shown]]
    weighted = [vectors.mean(dim=0), *((feedback[:, [signal]] * vectors).mean(dim=0) for signal in (0, 1))]
    standard = agent.model.profiles.values[observation.user[2]], agent.model.contexts.values[observation.context[2]]
    raw = observation.features[2]
    expected = [torch.ones(1), torch.tensor([2 / 5]), feedback.mean(dim=0), *weighted, *(text @ axes for text in standard)]
    torch.testing.assert_close(x, torch.cat([*expected, raw.sign() * raw.abs().log1p()]), rtol=1e-4, atol=1e-5)


def test_the_axes_are_principal_components():
    vectors = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.1, 2.0, 0.1, 0.1, 0.1])
    vectors = vectors - vectors.mean(dim=0)
    coordinates = vectors @ text_axes(vectors, 2)
    assert coordinates.square().mean() == pytest.approx(1.0, abs=1e-4)
    assert abs(torch.corrcoef(torch.stack([coordinates[:, 0], vectors[:, 0]]))[0, 1]) > 0.99
    assert abs(torch.corrcoef(torch.stack([coordinates[:, 1], vectors[:, 2]]))[0, 1]) > 0.95
    assert text_axes(vectors, 9).shape == (6, 6)


def test_bandits_learn_from_every_reward_once():
    assert build().experience == Rollout()
    assert build().optimizers() == {}


def test_bandits_learn_without_texts_of_users_and_contexts():
    spec = toy_spec(DATA._replace(users=None, contexts=None))
    agent = build(data=DATA._replace(users=None, contexts=None), spec=spec)
    rollout, _ = collect(agent, ToyEnvironment(spec, DATA), ToyEnvironment(spec, DATA).reset(0), 4)
    before = agent.model.cross.clone()
    update(agent, {}, rollout)
    assert not torch.equal(agent.model.cross, before)


def train(agent, environment, chunks, chunk_steps=4):
    """Collect and learn as the training module does, and return the mean reward of a step."""
    observation, earned = environment.reset(1_000_003), []
    for _ in range(chunks):
        rollout, observation = collect(agent, environment, observation, chunk_steps)
        update(agent, {}, rollout)
        earned.append(float(rollout.reward.mean()))
    return np.mean(earned)


def in_world(name, data, environment, seed, **options):
    agent, config = BANDITS[name]
    return agent(config(**options), environment.spec, ToyTracker(environment.spec, data), seed=seed)


QUICK = {"epsilon_greedy": {"epsilon_decay_steps": 1_500}, "linucb": {"alpha": 1.5}, "thompson": {}}


@pytest.mark.parametrize(
    ("name", "world"),
    [
        *((name, "profile_bandit") for name in BANDITS),
        ("linucb", "context_bandit"),
        *(pytest.param(name, "context_bandit", marks=pytest.mark.evidence) for name in BANDITS if name != "linucb"),
    ],
)
def test_bandits_learn_which_item_suits_each_user(name, world, request, mean_return):
    data, environment = request.getfixturevalue(world)
    assert mean_return(RandomAgent(None, environment.spec, None, seed=0), environment) < 0.1
    agent = in_world(name, data, environment, 0, **QUICK[name])
    # one of twenty items is the right one
    assert train(agent, environment, chunks=25) > 0.4
    assert mean_return(agent, environment) > 0.8


def test_linucb_learns_from_few_long_chunks(profile_bandit, mean_return):
    data, environment = profile_bandit
    agent = in_world("linucb", data, environment, 0, alpha=1.5)
    # 0.04 and 0.2 if the variance were only updated at the end of a chunk
    assert train(agent, environment, chunks=4, chunk_steps=16) > 0.4
    assert mean_return(agent, environment) > 0.8


@pytest.mark.parametrize("name", BANDITS)
def test_bandits_do_not_plan(name, patience_game, mean_return):
    data, environment = patience_game
    agent = in_world(name, data, environment, 0, **QUICK[name])
    train(agent, environment, chunks=25)
    assert mean_return(agent, environment) == pytest.approx(0.6)


def test_users_without_profiles_have_no_profile_features():
    spec = toy_spec(DATA, **EVERYTHING)
    known, anonymous = build(spec=spec).model, build(spec=replace(spec, has_users=False)).model
    dims = known.axes.shape[1]
    assert known.user_size - anonymous.user_size == dims
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0))
    others = observation.clone()
    others.user = observation.user.flip(0)
    assert not torch.equal(known.users(observation, known.items()), known.users(others, known.items()))
    assert torch.equal(anonymous.users(observation, anonymous.items()), anonymous.users(others, anonymous.items()))
