"""SlateQ: the losses and targets in numpy, exploration and checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from recframe import conf
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_observation, toy_spec, toy_transition, update
from recframe_plugins.agents.q_learning.config import SlateQConfig
from recframe_plugins.agents.q_learning.slate_q import SlateQ, choices, rewards_by_choice
from recframe_plugins.agents.q_learning.slates import SlateScores
from tests.agent_variants import check_variant

DATA = toy_data(num_items=12)
COMPONENTS = {"slate_q": registry().get("agent", "slate_q")}
USERS, K = 64, 3


def build(seed=0, num_candidates=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, slate_size=K, num_candidates=num_candidates)
    agent = SlateQ(SlateQConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for network in (agent.target, agent.online, agent.choice):
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return agent


def batch(agent, seed=0, users=USERS):
    """At most one click per slate; only the clicked item has a reward, and every third user clicks nothing."""
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    clicked = torch.randint(K, (users,), generator=generator)
    clicks = torch.nn.functional.one_hot(clicked, K).float() * (torch.arange(users) % 3 != 0).unsqueeze(1)
    transition.response.signals["click"] = clicks
    transition.item_reward = clicks * torch.randn(users, K, generator=generator)
    transition.reward = transition.item_reward.sum(dim=1)
    transition.terminated = torch.arange(users) % 4 == 0
    return transition


def slate_scores(agent, network, observation):
    with torch.no_grad():
        return SlateScores(
            network(observation, network.state_tracker.project_items()),
            agent.choice(observation, agent.choice.state_tracker.project_items()),
        )


def losses_of(agent, transition):
    return dict(agent.losses(transition))


def reference_target(agent, transition):
    """r + gamma Q'(s', A'), `[N]`."""
    following = transition.next_observation
    target = slate_scores(agent, agent.target, following)
    choosing = slate_scores(agent, agent.online, following) if agent.config.double else target
    value = target.slate_value(agent.best_slate(following, choosing, agent.working_set.whole, agent.spec.slate_size))
    return transition.reward + agent.config.gamma * value * ~transition.terminated


@pytest.mark.parametrize(
    "config",
    [
        SlateQConfig(),
        SlateQConfig(slate_optimizer="top_k", double=False, loss="mse", target_update_interval=2, target_update_rate=0.5),
        SlateQConfig(shortlist=4, n_step=3, priority_exponent=0.6),
    ],
)
def test_the_agent_passes_the_checks(config):
    (check_component if config == SlateQConfig() else check_variant)(COMPONENTS["slate_q"], config)


@pytest.mark.parametrize("num_candidates", [0, 6])
@pytest.mark.parametrize("optimizer", ["greedy", "top_k"])
@pytest.mark.parametrize("double", [True, False])
def test_the_target_of_the_choice_is_its_reward_plus_the_value_of_the_next_slate(double, optimizer, num_candidates):
    agent = build(double=double, slate_optimizer=optimizer, num_candidates=num_candidates, loss="mse")
    transition = batch(agent)
    scores, target = slate_scores(agent, agent.online, transition.observation), reference_target(agent, transition)
    clicks = transition.response.signals["click"]
    of_items, of_none = scores.values.of(transition.slate), scores.values.value
    clicked = clicks.sum(dim=1) > 0
    q = torch.where(clicked, (clicks * of_items).sum(dim=1), of_none)
    losses = losses_of(agent, transition)
    torch.testing.assert_close(losses["q"].detach(), (target - q).square().mean(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(agent.priorities(), (target - q).abs(), rtol=1e-3, atol=1e-4)


def test_double_and_single_targets_differ():
    double, single = build(double=True), build(double=False)
    transition = batch(double)
    assert (reference_target(double, transition) - reference_target(single, transition)).abs().max() > 0.1


def test_the_click_models_loss_is_the_negative_log_likelihood_of_the_choices():
    agent, transition = build(), batch(build())
    utilities = slate_scores(agent, agent.online, transition.observation).utilities.of(transition.slate).numpy()
    weights = np.exp(np.pad(utilities, ((0, 0), (0, 1))))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    clicks = transition.response.signals["click"].numpy()
    of_choice = np.where(clicks.sum(axis=1) > 0, (clicks * probabilities[:, :-1]).sum(axis=1), probabilities[:, -1])
    assert losses_of(agent, transition)["choice"].item() == pytest.approx(-np.log(of_choice).mean(), rel=1e-4)


def test_each_loss_trains_its_own_network():
    agent, transition = build(), batch(build())
    for name, loss in agent.losses(transition):
        agent.zero_grad()
        loss.backward()
        trained = {part for part in ("online", "choice", "target") if any(p.grad is not None for p in getattr(agent, part).parameters())}
        assert trained == {{"q": "online", "choice": "choice"}[name]}


def test_both_losses_are_weighted_by_importance():
    agent, transition = build(), batch(build(), users=16)
    for name in ("q", "choice"):
        each = torch.stack([losses_of(agent, transition[row : row + 1])[name].detach() for row in range(16)])
        weighted = transition.clone()
        weighted.weight = torch.linspace(0.0, 1.0, 16)
        torch.testing.assert_close(losses_of(agent, weighted)[name].detach(), (weighted.weight * each).mean())


def test_several_clicks_share_the_choice_and_no_click_is_a_choice():
    transition = batch(build(), users=3)
    transition.response.signals["click"] = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert choices(transition).tolist() == [[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    # items that are shown but not clicked may have a reward too, here 0.25 each
    transition.item_reward = torch.tensor([[1.0, 0.25, 2.0], [0.25, 5.0, 0.25], [0.25, 0.25, 0.25]])
    transition.reward = transition.item_reward.sum(dim=1)
    earned = rewards_by_choice(transition)
    assert earned[0, [0, 2]].tolist() == [1.25, 2.25]
    assert float(earned[1, 1]) == 5.5
    assert float(earned[2, 3]) == 0.75


def test_the_target_uses_the_discount_of_n_step_transitions():
    agent, transition = build(), batch(build())
    items, choice_items = (network.state_tracker.project_items().detach() for network in (agent.online, agent.choice))
    value = (agent.td_target(transition, agent.working_set.whole, items, choice_items)[:, -1] - transition.reward) / agent.config.gamma
    transition.discount = torch.full((USERS,), 0.5)
    later = agent.td_target(transition, agent.working_set.whole, items, choice_items)[:, -1]
    torch.testing.assert_close(later, transition.reward + 0.5 * value)


@pytest.mark.parametrize("optimizer", ["greedy", "top_k"])
def test_the_greedy_slate_is_that_of_the_optimizer(optimizer):
    agent = build(slate_optimizer=optimizer, shortlist=5)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(1), users=50)
    agent.prepare_to_act()
    expected = agent.best_slate(observation, slate_scores(agent, agent.online, observation), agent.working_set.whole, agent.spec.slate_size)
    assert torch.equal(agent.act(observation, explore=False).slate, expected)


def test_the_optimizers_differ():
    agents = [build(slate_optimizer=optimizer) for optimizer in ("greedy", "top_k")]
    observation = toy_observation(agents[0].spec, DATA, torch.Generator().manual_seed(1), users=50)
    slates = [agent.act(observation, explore=False).slate.sort(dim=1).values for agent in agents]
    assert not torch.equal(*slates)


def test_the_log_probabilities_of_explored_slates():
    agent = build(epsilon_start=0.4, epsilon_end=0.4)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(1), users=4_000)
    greedy = agent.act(observation, explore=False).slate
    slate, log_prob = agent.act(observation, explore=True)
    shown = (slate == greedy).all(dim=1)
    assert abs(float(shown.float().mean()) - 0.6) < 0.04
    rare = 0.4 / (12 * 11 * 10)
    torch.testing.assert_close(log_prob.exp(), torch.where(shown, 0.6 + rare, rare))


def test_acting_after_an_update_uses_the_new_click_model():
    agent = build(learning_rate=0.1)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=50)
    agent.prepare_to_act()
    update(agent, agent.optimizers(), batch(agent))
    expected = agent.best_slate(observation, slate_scores(agent, agent.online, observation), agent.working_set.whole, agent.spec.slate_size)
    assert torch.equal(agent.act(observation, explore=False).slate, expected)


def test_the_preset_uses_the_top_k_optimizer():
    preset = OmegaConf.load(Path(next(iter(conf.__path__))) / "agent" / "slate_q_top_k.yaml")
    assert preset == {"defaults": ["slate_q", "_self_"], "slate_optimizer": "top_k"}


def test_errors_of_opposite_sign_do_not_cancel_in_the_priority():
    agent = build(loss="mse")
    transition = batch(agent)
    transition.response.signals["click"] = torch.ones(USERS, K)
    transition.item_reward = torch.tensor([50.0, 0.0, -50.0]).expand(USERS, K).clone()
    transition.reward = transition.item_reward.sum(dim=1)
    losses_of(agent, transition)
    # an item's target is its own reward and later values; two of three have an error of about 50
    assert agent.priorities().min() > 20
