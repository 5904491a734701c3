"""REINFORCE: the losses in numpy, the top-K correction, and values at the end of a chunk."""

import numpy as np
import pytest
import torch

from recframe.interfaces import Rollout
from recframe.item_agents.softmax_policy import SlateProbability
from recframe.plugin_loader import registry
from recframe.testing import ToyEnvironment, ToyTracker, check_component, collect, toy_data, toy_spec, update
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from tests.agent_variants import check_variant

COMPONENT = registry().get("agent", "reinforce")
DATA = toy_data()


def build(slate_size=1, seed=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, slate_size=slate_size)
    return Reinforce(ReinforceConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)


def chunk(agent, steps=10, seed=1):
    environment = ToyEnvironment(agent.spec, DATA)
    return collect(agent, environment, environment.reset(seed), steps)[0]


def disturb(agent, size=1.0, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize(
    "config",
    [
        ReinforceConfig(),
        ReinforceConfig(network="shared", top_k_correction=True, normalize_advantages=False),
        ReinforceConfig(whole_catalog_items=1, working_items=16, greedy_evaluation=False),
    ],
    ids=["default", "shared, top-K", "working set"],
)
def test_the_agent_passes_the_checks(config):
    (check_component if config == ReinforceConfig() else check_variant)(COMPONENT, config)


def reference(agent, batch):
    """Policy loss and value loss in numpy, for slates of one item and the full softmax."""
    config, flat = agent.config, batch.reshape(-1)
    with torch.no_grad():
        items = agent.network.vectors(agent.working_set.whole)
        policy_scores, value = agent.network(flat.observation, items)
        next_value = agent.network.values(flat.next_observation, items)
        scores = (policy_scores.query @ items.policy.T).numpy()
    for row, history in enumerate(flat.observation.history_items.numpy()):
        scores[row, np.unique(history[history >= 0])] += policy_scores.repeat[row].item()
    log_pi = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    value, next_value = (one.view_as(batch.reward).numpy() for one in (value, next_value))
    returns, after = np.zeros_like(value), next_value[-1]
    for t in reversed(range(len(value))):
        after = np.where(batch.truncated[t].numpy() | (t == len(value) - 1), next_value[t], after)
        after = batch.reward[t].numpy() + config.gamma * np.where(batch.terminated[t].numpy(), 0, after)
        returns[t] = after
    advantages = (returns - value).ravel()
    if config.normalize_advantages:
        advantages = (advantages - advantages.mean()) / advantages.std()
    chosen = log_pi[np.arange(len(log_pi)), flat.slate[:, 0].numpy()]
    entropy = -(np.exp(log_pi) * log_pi).sum(axis=1).mean()
    return -(chosen * advantages).mean() - config.entropy_weight * entropy, ((value - returns) ** 2).mean(), entropy


@pytest.mark.parametrize("normalize", [True, False])
def test_the_losses_follow_williams_equation(normalize):
    agent = build(normalize_advantages=normalize, entropy_weight=0.1, gamma=0.9)
    disturb(agent)
    batch = chunk(agent)
    assert batch.terminated.any()
    assert batch.truncated.any()
    policy, value, entropy = reference(agent, batch)
    losses = {name: loss.item() for name, loss in agent.losses(batch)}
    assert losses == {"policy": pytest.approx(policy, rel=1e-4), "value": pytest.approx(value, rel=1e-4)}
    assert agent.diagnostics()["entropy"].item() == pytest.approx(entropy, rel=1e-4)


def test_next_values_are_those_of_the_next_observations():
    agent = build()
    disturb(agent)
    batch = chunk(agent)
    items = agent.network.vectors(agent.working_set.whole)
    with torch.no_grad():
        value, expected = (
            agent.network.values(part.reshape(-1), items).view_as(batch.reward) for part in (batch.observation, batch.next_observation)
        )
    goes_on = ~batch.terminated  # there is no value after termination
    assert (batch.truncated & goes_on)[:-1].any()
    torch.testing.assert_close(agent.next_values(batch, value, items)[goes_on], expected[goes_on])


def test_a_shared_network_learns_from_the_weighted_sum():
    agent = build(network="shared", value_weight=0.3)
    disturb(agent)
    batch = chunk(agent)
    policy, value, _ = reference(agent, batch)
    ((name, loss),) = agent.losses(batch)
    assert name == "policy_and_value"
    assert loss.item() == pytest.approx(policy + 0.3 * value, rel=1e-4)


def test_separate_networks_each_learn_from_their_own_loss():
    agent = build(learning_rate=0.01, value_learning_rate=0.0001)
    optimizers, network = agent.optimizers(), agent.network
    batch = chunk(agent)
    named = dict(agent.named_parameters())
    policy_names = {name for name in named if name.startswith(("network.state_tracker.", "network.policy."))}
    for name, loss in agent.losses(batch):
        agent.zero_grad()
        loss.backward()
        reached = {other for other, parameter in named.items() if parameter.grad is not None and parameter.grad.abs().sum() > 0}
        assert reached
        assert (reached <= policy_names) if name == "policy" else reached.isdisjoint(policy_names)
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    assert rates == {"policy": 0.01, "value": 0.0001}
    trained = {id(parameter) for optimizer in optimizers.values() for parameter in optimizer.param_groups[0]["params"]}
    assert trained == {id(parameter) for parameter in network.parameters()}


def test_a_shared_network_has_one_learning_rate():
    with pytest.raises(ValueError, match=r"agent\.value_learning_rate is for network: separate"):
        build(network="shared", value_learning_rate=1e-3)


def test_the_policy_loss_has_no_gradient_in_the_baseline():
    agent = build(network="shared", entropy_weight=0.0, value_weight=1e-12)
    for _, loss in agent.losses(chunk(agent)):
        loss.backward()
    assert agent.network.value.weight.grad.abs().max() < 1e-6
    assert agent.network.policy.query.weight.grad.abs().max() > 1e-5


class TestTopK:
    def test_with_one_item_it_changes_nothing(self):
        plain, corrected = (build(top_k_correction=top_k) for top_k in (False, True))
        batch = chunk(plain)
        assert [loss.item() for _, loss in plain.losses(batch)] == pytest.approx([loss.item() for _, loss in corrected.losses(batch)])

    def test_the_loss_is_chens(self):
        agent = build(slate_size=3, top_k_correction=True, normalize_advantages=False)
        item_log_probs = torch.tensor([[0.5, 0.25, 0.125], [0.9, 0.05, 0.01]]).log().requires_grad_()
        probability = SlateProbability(torch.zeros(2), item_log_probs, torch.zeros(2))
        advantages, item_reward = torch.tensor([2.0, -1.0]), torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
        # each item's own reward and later rewards: less the other items' rewards, plus two mean rewards of 0.5
        item_advantages = torch.tensor([[3.0, 2.0, 2.0], [-2.0, -1.0, -1.0]])
        lambda_k = 3 * (1 - item_log_probs.detach().exp()) ** 2
        expected = -(lambda_k * item_log_probs.detach() * item_advantages).sum() / 2
        loss = agent.policy_loss(probability, advantages, item_reward)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        loss.backward()
        torch.testing.assert_close(item_log_probs.grad, -lambda_k * item_advantages / 2)

    def test_an_item_that_is_almost_certainly_shown_gets_almost_no_gradient(self):
        agent = build(slate_size=3, top_k_correction=True, normalize_advantages=False)
        item_log_probs = torch.tensor([[0.999, 0.0005, 0.0005]]).log().requires_grad_()
        agent.policy_loss(SlateProbability(torch.zeros(1), item_log_probs, torch.zeros(1)), torch.ones(1), torch.ones(1, 3)).backward()
        assert item_log_probs.grad[0, 0].abs() < 1e-5 < item_log_probs.grad[0, 1].abs()
        assert item_log_probs.grad[0, 1].item() == pytest.approx(-3, rel=0.01)


def test_slates_learn_from_the_slates_probability():
    agent = build(slate_size=3, normalize_advantages=False)
    probability = SlateProbability(torch.tensor([-2.0, -3.0]), torch.zeros(2, 3), torch.zeros(2))
    assert agent.policy_loss(probability, torch.tensor([1.0, 5.0]), torch.ones(2, 3)).item() == pytest.approx((2 * 1 + 3 * 5) / 2)


def test_slates_are_drawn_in_exploration_and_the_most_probable_otherwise():
    greedy, drawing = build(slate_size=2), build(slate_size=2, greedy_evaluation=False)
    observation = ToyEnvironment(greedy.spec, DATA).reset(0)
    for agent in (greedy, drawing):
        agent.prepare_to_act()
    shown = [greedy.act(observation, explore=False).slate for _ in range(2)]
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(*(drawing.act(observation, explore=False).slate for _ in range(2)))
    assert not torch.equal(*(greedy.act(observation, explore=True).slate for _ in range(2)))


def test_acting_after_an_update_uses_the_new_weights_without_prepare_to_act():
    agent = build(learning_rate=0.1)
    observation = ToyEnvironment(agent.spec, DATA).reset(0)
    agent.prepare_to_act()
    optimizers = agent.optimizers()
    for seed in range(3):
        update(agent, optimizers, chunk(agent, seed=seed))
    unprepared = agent.act(observation, explore=False).slate
    agent.prepare_to_act()
    assert torch.equal(unprepared, agent.act(observation, explore=False).slate)


def test_the_experience_is_a_rollout():
    assert build().experience == Rollout()
