"""Soft actor-critic over items: the equations in numpy, and learning."""

import math

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD, Replay
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_observation, toy_spec, toy_transition, update
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig
from recframe_plugins.agents.soft_actor_critic.soft_actor_critic import SoftActorCritic
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from tests.agent_variants import check_variant

DATA = toy_data()
RESTRICTIONS = [{}, {"num_candidates": 9}, {"num_excluded": 4}, {"num_candidates": 9, "num_excluded": 4}]


def build(seed=0, restrictions=None, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, **(restrictions or {}))
    agent = SoftActorCritic(SoftActorCriticConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # far from uniform policies and equal critics
        for parameter in [*agent.actor.parameters(), *agent.critics.parameters(), *agent.targets.parameters()]:
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return agent


def flatten(agent):
    """Make the policy more uniform."""
    with torch.no_grad():
        for parameter in [*agent.actor.query.parameters(), *agent.actor.repeat.parameters()]:
            parameter.mul_(0.1)


def batch(agent, users=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.reward = torch.randn(users, generator=generator)
    transition.terminated = torch.arange(users) % 4 == 0
    transition.truncated = torch.arange(users) % 4 == 1
    return transition


def scores_of(network, observation):
    """V(s) + <W s + w, v_i> / sqrt(d) + r(s) [i in s's history] of all items, `[N, M]`, written out."""
    with torch.no_grad():
        items = network.state_tracker.project_items()
        state = network.state_tracker(observation, items).double().numpy()
    value, query, repeat = (
        state @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
        for layer in (network.value, network.query, network.repeat)
    )
    again = np.zeros((len(state), len(items)))
    for row, history in enumerate(observation.history_items.numpy()):
        again[row, history[history != PAD]] = 1
    return value + query @ items.double().numpy().T / np.sqrt(items.shape[1]) + repeat * again


def may_be_shown(observation, num_items):
    allowed = np.ones((len(observation), num_items), dtype=bool)
    for row in range(len(observation)):
        if observation.candidates is not None:
            allowed[row] = np.isin(np.arange(num_items), observation.candidates[row].numpy())
        if observation.excluded is not None:
            allowed[row] &= ~np.isin(np.arange(num_items), observation.excluded[row].numpy())
    return allowed


def policy_of(agent, observation):
    """pi and log pi of all items, `[N, M]`; both 0 for items that may not be shown."""
    scores, allowed = scores_of(agent.actor, observation), may_be_shown(observation, agent.spec.num_items)
    scores = np.where(allowed, scores, -np.inf)
    log_prob = scores - np.log(np.exp(scores - scores.max(1, keepdims=True)).sum(1, keepdims=True)) - scores.max(1, keepdims=True)
    return np.exp(log_prob), np.where(allowed, log_prob, 0.0)


def smallest(critics, observation):
    return np.minimum(*(scores_of(critic, observation) for critic in critics))


def first_losses(agent, transition):
    """The three losses, without optimizer steps."""
    return {name: float(loss.detach()) for name, loss in agent.losses(transition)}


@pytest.mark.parametrize("config", [SoftActorCriticConfig(), SoftActorCriticConfig(whole_catalog_items=10, working_items=20)])
def test_the_agent_passes_the_checks(config):
    (check_component if config == SoftActorCriticConfig() else check_variant)(registry().get("agent", "soft_actor_critic"), config)


@pytest.mark.parametrize("restrictions", RESTRICTIONS)
def test_the_target_follows_the_papers_equations(restrictions):
    agent = build(restrictions=restrictions)
    transition = batch(agent)
    probability, log_prob = policy_of(agent, transition.next_observation)
    value = (probability * (smallest(agent.targets, transition.next_observation) - 0.3 * log_prob)).sum(axis=1)
    expected = transition.reward.numpy() + agent.config.gamma * np.where(transition.terminated.numpy(), 0.0, value)
    np.testing.assert_allclose(
        agent.soft_target(transition, agent.working_set.whole, torch.tensor(0.3)).numpy(), expected, rtol=1e-4, atol=1e-4
    )


def test_targets_are_finite_without_next_candidates_after_termination():
    agent = build(restrictions={"num_candidates": 9})
    transition = batch(agent)
    transition.next_observation.candidates[transition.terminated] = PAD
    target = agent.soft_target(transition, agent.working_set.whole, torch.tensor(0.3))
    assert torch.equal(target[transition.terminated], transition.reward[transition.terminated])
    assert target.isfinite().all()


@pytest.mark.parametrize("restrictions", RESTRICTIONS)
def test_the_losses_follow_the_papers_equations(restrictions):
    agent = build(restrictions=restrictions, initial_temperature=0.2, target_entropy=0.6)
    transition = batch(agent)
    rows, shown = np.arange(32), transition.slate[:, 0].numpy()
    target = agent.soft_target(transition, agent.working_set.whole, torch.tensor(0.2)).numpy()
    q = [scores_of(critic, transition.observation)[rows, shown] for critic in agent.critics]
    probability, log_prob = policy_of(agent, transition.observation)
    min_q = smallest(agent.critics, transition.observation)
    entropy = -(probability * log_prob).sum(axis=1)
    most = np.log(may_be_shown(transition.observation, agent.spec.num_items).sum(axis=1))
    losses = first_losses(agent, transition)
    assert list(losses) == ["critic", "actor", "temperature"]
    assert losses["critic"] == pytest.approx(sum(0.5 * np.mean((value - target) ** 2) for value in q), rel=1e-4)
    assert losses["actor"] == pytest.approx((probability * (0.2 * log_prob - min_q)).sum(axis=1).mean(), rel=1e-4)
    assert losses["temperature"] == pytest.approx((0.2 * (entropy - 0.6 * most)).mean(), rel=1e-4)
    assert float(agent.diagnostics()["entropy"]) == pytest.approx(entropy.mean(), rel=1e-4)


def test_each_loss_changes_only_its_own_parameters():
    agent = build()
    for name, loss in agent.losses(batch(agent)):
        agent.zero_grad()
        loss.backward()
        moved = {part.split(".")[0] for part, parameter in agent.named_parameters() if parameter.grad is not None}
        assert moved == {{"critic": "critics", "actor": "actor", "temperature": "log_temperature"}[name]}


def test_the_critics_have_separate_trackers():
    agent = build()
    trackers = [network.state_tracker for network in (agent.actor, *agent.critics, *agent.targets)]
    weights = {parameter.data_ptr() for tracker in trackers for parameter in tracker.parameters()}
    assert len(weights) == 5 * len(list(trackers[0].parameters()))


def test_the_target_critics_follow_slowly():
    agent = build(target_update_rate=0.25)
    before = [parameter.detach().clone() for parameter in agent.targets.parameters()]
    update(agent, agent.optimizers(), batch(agent))
    for old, new, online in zip(before, agent.targets.parameters(), agent.critics.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.25 * (online - old))
    assert not any(parameter.requires_grad for parameter in agent.targets.parameters())


@pytest.mark.parametrize("restrictions", [{}, {"num_candidates": 9, "num_excluded": 4}])
def test_exploration_draws_from_the_policy(restrictions):
    agent, users = build(restrictions=restrictions), 20_000
    flatten(agent)
    one = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=6)[5:]
    counts = torch.bincount(agent.act(one.expand(users).clone(), explore=True).slate[:, 0], minlength=agent.spec.num_items)
    probability = policy_of(agent, one)[0][0]
    error = 5 * np.sqrt(probability * (1 - probability) / users)
    assert 0.1 < probability.max() < 0.95
    assert (np.abs(counts.numpy() / users - probability) <= error).all()
    assert agent.act(one, explore=False).slate.item() == probability.argmax()


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_the_policy_reaches_the_target_entropy(share):
    agent = build(target_entropy=share, learning_rate=0.02)
    optimizers, transition = agent.optimizers(), batch(agent, users=64)
    for _ in range(200):
        update(agent, optimizers, transition)
    assert float(agent.diagnostics()["entropy"]) == pytest.approx(share * math.log(40), abs=0.35)


def test_in_mixed_precision_probabilities_sum_to_1():
    agent = build()
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=32)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        logits = agent.actor(observation, agent.actor.state_tracker.project_items())
        pi, _ = agent.allowed_items(observation, agent.working_set.whole).policy(logits)
    torch.testing.assert_close(pi.sum(dim=1), torch.ones(32), rtol=0, atol=1e-5)


def test_the_replay_memory_follows_the_options():
    plan = build(replay_capacity=7_000, batch_size=12, learning_starts=34, updates_per_chunk=5).experience
    assert (plan.capacity, plan.batch_size, plan.learning_starts, plan.updates_per_chunk) == (7_000, 12, 34, 5)
    assert isinstance(plan, Replay)
    assert plan.n_step == 1


def test_unsupported_settings_are_rejected():
    spec = toy_spec(DATA, slate_size=3)
    with pytest.raises(ValueError, match=r"environment\.slate_size must be 1, not 3"):
        SoftActorCritic(SoftActorCriticConfig(), spec, ToyTracker(spec, DATA), seed=0)
    with pytest.raises(ValueError, match=r"agent\.learning_starts \(500\) must not exceed agent\.replay_capacity \(100\)"):
        build(learning_starts=500, replay_capacity=100)


QUICK = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4, "learning_rate": 3e-3, "target_update_rate": 0.02}


def learner(data, environment, seed, **options):
    torch.manual_seed(seed)
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), environment.spec, data)
    return SoftActorCritic(SoftActorCriticConfig(**QUICK | options), environment.spec, tracker, seed=seed)


def test_the_agent_learns_the_item_of_each_user(profile_bandit, train, mean_return):
    data, environment = profile_bandit
    assert mean_return(RandomAgent(None, environment.spec, None, seed=0), environment) < 0.1
    agent = learner(data, environment, 0)
    train(agent, environment, chunks=80)
    assert mean_return(agent, environment) > 0.9


def test_the_agent_learns_to_wait_for_a_delayed_reward(patience_game, train, mean_return):
    data, environment = patience_game
    agent = learner(data, environment, 0)
    train(agent, environment, chunks=40)
    assert mean_return(agent, environment) > 0.95


def test_with_gamma_0_the_agent_takes_the_immediate_reward(patience_game, train, mean_return):
    data, environment = patience_game
    agent = learner(data, environment, 0, gamma=0.0)
    train(agent, environment, chunks=40)
    assert mean_return(agent, environment) == pytest.approx(0.6)
