"""The losses of the offline agents, derived again in numpy from their papers' equations."""

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD
from recframe.testing import ToyTracker, toy_data, toy_observation, toy_spec, toy_transition
from recframe_plugins.agents.offline.bcq import BCQ
from recframe_plugins.agents.offline.config import (
    BCQConfig,
    CQLConfig,
    CRRConfig,
    IQLConfig,
    SA2CConfig,
    SQNConfig,
    TD3BCConfig,
    TopKReinforceConfig,
)
from recframe_plugins.agents.offline.cql import CQL
from recframe_plugins.agents.offline.crr import CRR
from recframe_plugins.agents.offline.iql import IQL
from recframe_plugins.agents.offline.sa2c import SA2C
from recframe_plugins.agents.offline.sqn import SQN
from recframe_plugins.agents.offline.td3_bc import TD3BC
from recframe_plugins.agents.offline.top_k_reinforce import TopKReinforce, top_k_multiplier

DATA = toy_data()
USERS = 48
ALL = np.arange(USERS)


def build(factory, config, **restrictions):
    """The agent, with weights far from their start, so that online and target network, or both policies, differ."""
    torch.manual_seed(0)
    spec = toy_spec(DATA, **restrictions)
    agent = factory(config, spec, ToyTracker(spec, DATA), seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.add_(0.4 * torch.randn(parameter.shape, generator=generator))
    return agent


def batch_for(agent, weighted=False):
    generator = torch.Generator().manual_seed(2)
    batch = toy_transition(agent.spec, DATA, generator, users=USERS)
    batch.next_observation = toy_observation(agent.spec, DATA, generator, users=USERS)
    if agent.spec.num_candidates:  # the item taken was a candidate
        batch.slate = batch.observation.candidates[:, :1]
    batch.reward = torch.randn(USERS, generator=generator)
    batch.item_reward = batch.reward[:, None]
    batch.terminated = torch.arange(USERS) % 4 == 0
    batch.truncated = torch.arange(USERS) % 4 == 1
    batch.discount = 0.9 ** torch.randint(1, 4, (USERS,), generator=generator)
    if weighted:
        batch.weight = 0.1 + torch.rand(USERS, generator=generator)
    return batch


def linear(layer, state):
    return state @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def state_and_items(tracker, observation):
    with torch.no_grad():
        items = tracker.project_items()
        return tracker(observation, items).numpy(), items.numpy()


def seen(observation, num_items):
    shown = np.zeros((len(observation.user), num_items))
    for row, history in enumerate(observation.history_items.numpy()):
        shown[row, history[history != PAD]] = 1
    return shown


def allowed(observation, num_items):
    if observation.candidates is None:
        return np.ones((len(observation.user), num_items), dtype=bool)
    mask = np.zeros((len(observation.user), num_items), dtype=bool)
    for row, candidates in enumerate(observation.candidates.numpy()):
        mask[row, candidates[candidates != PAD]] = True
    return mask


def q_values(network, observation):
    """Q(s, i) of all items, `[N, M]`."""
    state, items = state_and_items(network.state_tracker, observation)
    products = linear(network.query, state) @ items.T / np.sqrt(items.shape[1])
    return linear(network.value, state) + products + linear(network.repeat, state) * seen(observation, len(items))


def log_softmax(head, tracker, observation, temperature=1.0):
    """log pi(i | s) of all items, `[N, M]`; -inf for items that may not be shown."""
    state, items = state_and_items(tracker, observation)
    products = linear(head.query, state) @ items.T / np.sqrt(items.shape[1])
    scores = (products + linear(head.repeat, state) * seen(observation, len(items))) / temperature
    scores = np.where(allowed(observation, len(items)), scores, -np.inf)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def huber(difference):
    return np.where(np.abs(difference) < 1, 0.5 * difference**2, np.abs(difference) - 0.5)


def taken(values, batch):
    return values[ALL, batch.slate[:, 0].numpy()]


def bootstrapped(batch, next_value):
    return batch.reward.numpy() + batch.discount.numpy() * np.where(batch.terminated.numpy(), 0, next_value)


def double_q(agent, observation):
    """Q'(s, argmax Q(s, i)) over the items that may be shown."""
    online, target = q_values(agent.online, observation), q_values(agent.target, observation)
    chosen = np.where(allowed(observation, online.shape[1]), online, -np.inf).argmax(axis=1)
    return target[ALL, chosen]


def first_loss(agent, batch):
    return next(agent.losses(batch))[1].item()


def weighted_mean(losses, batch):
    return np.mean(losses if batch.weight is None else losses * batch.weight.numpy())


RESTRICTIONS = pytest.mark.parametrize(
    ("restrictions", "weighted"), [({}, False), ({"num_candidates": 9}, True)], ids=["all", "candidates"]
)


@RESTRICTIONS
def test_sqn_adds_the_cross_entropy_and_the_double_q_loss(restrictions, weighted):
    agent = build(SQN, SQNConfig(q_weight=0.7), **restrictions)
    batch = batch_for(agent, weighted)
    cross_entropy = -taken(log_softmax(agent.online.policy, agent.online.state_tracker, batch.observation), batch)
    error = bootstrapped(batch, double_q(agent, batch.next_observation)) - taken(q_values(agent.online, batch.observation), batch)
    expected = weighted_mean(cross_entropy + 0.7 * huber(error), batch)
    assert first_loss(agent, batch) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(agent.priorities().numpy(), np.abs(error), rtol=1e-3, atol=1e-4)


@RESTRICTIONS
@pytest.mark.parametrize("warm", [False, True])
def test_sa2c_learns_from_negatives_and_weights_the_cross_entropy_by_advantages(restrictions, weighted, warm):
    agent = build(SA2C, SA2CConfig(negatives=3, negative_reward=-0.2, warmup_updates=100 if warm else 0), **restrictions)
    batch = batch_for(agent, weighted)
    generator = torch.Generator().manual_seed(0)
    negatives = torch.randint(agent.spec.num_items, (USERS, 3), generator=generator).numpy()
    q = q_values(agent.online, batch.observation)
    # a negative leaves the user in the same state
    stay = -0.2 + agent.config.gamma * double_q(agent, batch.observation)
    value_loss = huber(bootstrapped(batch, double_q(agent, batch.next_observation)) - taken(q, batch))
    compared = [[value] for value in taken(q, batch)]
    for row in range(USERS):
        for item in negatives[row]:
            if item != batch.slate[row, 0]:
                value_loss[row] += huber(stay[row] - q[row, item])
                compared[row].append(q[row, item])
    advantage = 1.0 if warm else taken(q, batch) - np.array([np.mean(values) for values in compared])
    cross_entropy = -taken(log_softmax(agent.online.policy, agent.online.state_tracker, batch.observation), batch)
    expected = weighted_mean(cross_entropy * advantage + value_loss, batch)
    assert first_loss(agent, batch) == pytest.approx(expected, rel=1e-4)


@RESTRICTIONS
def test_cql_lowers_the_soft_maximum_and_raises_the_item_taken(restrictions, weighted):
    agent = build(CQL, CQLConfig(alpha=0.3, loss="mse"), **restrictions)
    batch = batch_for(agent, weighted)
    q = q_values(agent.online, batch.observation)
    conservative = np.log(np.where(allowed(batch.observation, q.shape[1]), np.exp(q), 0).sum(axis=1)) - taken(q, batch)
    error = bootstrapped(batch, double_q(agent, batch.next_observation)) - taken(q, batch)
    assert first_loss(agent, batch) == pytest.approx(weighted_mean(0.3 * conservative + error**2, batch), rel=1e-4)


@RESTRICTIONS
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.9])
def test_bcq_chooses_the_next_item_among_likely_ones(restrictions, weighted, threshold):
    agent = build(BCQ, BCQConfig(threshold=threshold), **restrictions)
    batch = batch_for(agent, weighted)
    log_g = log_softmax(agent.online.policy, agent.online.state_tracker, batch.next_observation)
    likely = np.exp(log_g - log_g.max(axis=1, keepdims=True)) >= threshold
    online, target = q_values(agent.online, batch.next_observation), q_values(agent.target, batch.next_observation)
    chosen = np.where(likely & allowed(batch.next_observation, online.shape[1]), online, -np.inf).argmax(axis=1)
    error = bootstrapped(batch, target[ALL, chosen]) - taken(q_values(agent.online, batch.observation), batch)
    cross_entropy = -taken(log_softmax(agent.online.policy, agent.online.state_tracker, batch.observation), batch)
    assert first_loss(agent, batch) == pytest.approx(weighted_mean(huber(error) + cross_entropy, batch), rel=1e-4)


def test_bcq_ranks_likely_items_by_value_and_then_the_others_by_probability():
    agent = build(BCQ, BCQConfig(threshold=0.3))
    observation = batch_for(agent).observation
    q, log_g = q_values(agent.online, observation), log_softmax(agent.online.policy, agent.online.state_tracker, observation)
    agent.prepare_to_act()
    ranking = agent.rank(observation, agent.spec.num_items).numpy()
    for row in range(USERS):
        likely = log_g[row] - log_g[row].max() >= np.log(0.3)
        first = [item for item in q[row].argsort()[::-1] if likely[item]]
        assert ranking[row].tolist() == first + [item for item in log_g[row].argsort()[::-1] if not likely[item]]


@RESTRICTIONS
@pytest.mark.parametrize("config", [CRRConfig(beta=0.5, weight_cap=2.0), CRRConfig(weighting="binary")], ids=["exp", "binary"])
def test_crr_imitates_by_advantage_and_evaluates_its_own_policy(restrictions, weighted, config):
    agent = build(CRR, config, **restrictions)
    batch = batch_for(agent, weighted)
    log_pi = log_softmax(agent.online.policy, agent.online.state_tracker, batch.observation)
    q = q_values(agent.online, batch.observation)
    next_pi = np.exp(log_softmax(agent.target.policy, agent.target.state_tracker, batch.next_observation))
    next_value = (next_pi * q_values(agent.target, batch.next_observation)).sum(axis=1)
    advantage = taken(q, batch) - (np.exp(log_pi) * q).sum(axis=1)
    weight = (advantage > 0) if config.weighting == "binary" else np.minimum(np.exp(advantage / 0.5), 2.0)
    error = bootstrapped(batch, next_value) - taken(q, batch)
    expected = weighted_mean(huber(error) - weight * taken(log_pi, batch), batch)
    assert first_loss(agent, batch) == pytest.approx(expected, rel=1e-4)


@RESTRICTIONS
def test_iql_learns_an_expectile_a_value_and_a_weighted_policy(restrictions, weighted):
    agent = build(IQL, IQLConfig(expectile=0.8, beta=2.0, weight_cap=5.0), **restrictions)
    batch = batch_for(agent, weighted)
    tracker = agent.online.state_tracker
    value, next_value = (
        linear(agent.online.state_value, state_and_items(tracker, one)[0])[:, 0] for one in (batch.observation, batch.next_observation)
    )
    advantage = taken(q_values(agent.target, batch.observation), batch) - value
    value_loss = np.where(advantage < 0, 0.2, 0.8) * advantage**2
    error = bootstrapped(batch, next_value) - taken(q_values(agent.online, batch.observation), batch)
    log_pi = taken(log_softmax(agent.online.policy, tracker, batch.observation), batch)
    expected = weighted_mean(value_loss + huber(error) - np.minimum(np.exp(2.0 * advantage), 5.0) * log_pi, batch)
    assert first_loss(agent, batch) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("normalize", [False, True])
def test_top_k_reinforce_corrects_for_the_logging_policy_and_for_the_slate(normalize):
    config = TopKReinforceConfig(k=3, weight_cap=1.5, normalize_weights=normalize, temperature=2.0)
    agent = build(TopKReinforce, config)
    batch = batch_for(agent)
    log_pi = taken(log_softmax(agent.policy, agent.state_tracker, batch.observation, 2.0), batch)
    log_beta = taken(log_softmax(agent.logging_policy, agent.state_tracker, batch.observation), batch)
    importance = np.minimum(np.exp(log_pi - log_beta), 1.5)
    assert 0 < (importance == 1.5).mean() < 1
    if normalize:
        importance = importance / importance.mean()
    multiplier = 3 * (1 - np.exp(log_pi)) ** 2
    expected = np.mean(-importance * multiplier * batch.reward.numpy() * log_pi - log_beta)
    assert first_loss(agent, batch) == pytest.approx(expected, rel=1e-4)


def test_the_gradient_of_the_estimated_logging_policy_does_not_reach_the_tracker():
    agent = build(TopKReinforce, TopKReinforceConfig())
    batch = batch_for(agent)
    batch.reward = torch.zeros(USERS)  # nothing is left of the policy's loss
    _, loss = next(agent.losses(batch))
    loss.backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in agent.state_tracker.parameters())
    assert agent.logging_policy.query.weight.grad.any()


def test_the_top_k_multiplier_is_the_derivative_of_being_among_k_draws():
    pi = torch.linspace(0.01, 0.9, 20, dtype=torch.float64, requires_grad=True)
    among = 1 - (1 - pi) ** 4
    (gradient,) = torch.autograd.grad(among.sum(), pi)
    torch.testing.assert_close(top_k_multiplier(pi.detach(), 4), gradient)


@pytest.mark.parametrize("slate_size", [1, 3])
def test_td3_bc_adds_the_distance_to_the_items_taken(slate_size):
    agent = build(TD3BC, TD3BCConfig(alpha=1.7, hidden_sizes=[8]), slate_size=slate_size)
    generator = torch.Generator().manual_seed(2)
    batch = toy_transition(agent.spec, DATA, generator, users=USERS)
    with torch.no_grad():
        loss = agent.actor_loss(batch, agent.working_set.whole).item()
        actor_items, critic_items = agent.project(agent.working_set.whole)[:2]
        point = agent.actor(batch.observation, actor_items).numpy()
        critic = agent.critics.main
        state = critic.state_tracker(batch.observation, critic_items)
        value = critic(state, torch.from_numpy(point)[:, None]).numpy()[:, 0]
    vectors = critic_items.numpy() / np.linalg.norm(critic_items.numpy(), axis=1, keepdims=True)
    distance = ((point[:, None] - vectors[batch.slate.numpy()]) ** 2).sum(axis=2).mean()
    assert loss == pytest.approx(-1.7 / np.abs(value).mean() * value.mean() + distance, rel=1e-4)
