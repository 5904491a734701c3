"""Actor-critic: the policy gradient, PPO's clipped objective, the loss of values, and the steps per chunk."""

import copy
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from recframe import conf
from recframe.interfaces import Rollout
from recframe.item_agents.softmax_policy import slate_probability
from recframe.plugin_loader import registry
from recframe.testing import ToyEnvironment, ToyTracker, check_component, collect, toy_data, toy_spec, update
from recframe_plugins.agents.policy_gradient.actor_critic import ActorCritic, RolloutSamples
from recframe_plugins.agents.policy_gradient.advantages import generalized_advantages, normalized
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig, ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.config import AttentionConfig
from tests.agent_variants import check_variant

COMPONENT = registry().get("agent", "actor_critic")
DATA = toy_data()
PPO = {"clip_range": 0.2, "epochs": 3, "minibatches": 4}


def build(slate_size=1, seed=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, slate_size=slate_size)
    return ActorCritic(ActorCriticConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)


def chunk(agent, steps=10, seed=1):
    environment = ToyEnvironment(agent.spec, DATA)
    return collect(agent, environment, environment.reset(seed), steps)[0]


def samples(value, returns):
    nothing = torch.zeros_like(value)
    return RolloutSamples(None, nothing, nothing, value, nothing, returns)


@pytest.mark.parametrize(
    "config",
    [
        ActorCriticConfig(),
        ActorCriticConfig(network="shared", normalize_advantages=False),
        ActorCriticConfig(clip_range=0.2, epochs=2, value_clip=0.2, target_kl=0.05),
        ActorCriticConfig(clip_range=0.2, minibatches=2, whole_catalog_items=1, working_items=16),
    ],
    ids=["A2C", "shared", "PPO", "PPO, working set"],
)
def test_the_agent_passes_the_checks(config):
    (check_component if config == ActorCriticConfig() else check_variant)(COMPONENT, config)


def attention(spec, **options):
    torch.manual_seed(0)
    return AttentionTracker(AttentionConfig(history_length=5, item_dim=8, **options), spec, DATA)


@pytest.mark.parametrize("slate_size", [1, 3])
@pytest.mark.parametrize("network", ["separate", "shared"])
def test_before_the_first_step_the_ratio_is_1_with_a_tracker_that_could_drop_out(slate_size, network):
    spec = toy_spec(DATA, slate_size=slate_size)
    agent = ActorCritic(ActorCriticConfig(network=network, **PPO), spec, attention(spec), seed=0)
    ratios = []
    policy_loss = agent.policy_loss
    agent.policy_loss = lambda log_ratio, advantages: ratios.append(log_ratio.detach().exp()) or policy_loss(log_ratio, advantages)
    next(agent.losses(chunk(agent)))
    torch.testing.assert_close(ratios[0], torch.ones_like(ratios[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("agent", [ActorCritic, Reinforce])
def test_a_tracker_with_dropout_is_refused(agent):
    spec = toy_spec(DATA)
    config = ActorCriticConfig() if agent is ActorCritic else ReinforceConfig()
    with pytest.raises(ValueError, match=r"state_tracker\.dropout must be 0, not 0\.1: an on-policy agent"):
        agent(config, spec, attention(spec, dropout=0.1), seed=0)


@pytest.mark.parametrize(("slate_size", "normalize"), [(1, True), (3, False)])
def test_with_one_step_per_chunk_the_gradient_is_the_policy_gradient(slate_size, normalize):
    """For the policy that acted, the gradient of the ratio is that of the log-probability (Huang et al., 2022)."""
    agent = build(slate_size, entropy_weight=0.0, gamma=0.9, gae_lambda=0.8, normalize_advantages=normalize)
    batch = chunk(agent)
    flat, twin = batch.reshape(-1), copy.deepcopy(agent)
    items = twin.network.vectors(twin.working_set.whole)
    preferences, value = twin.network(flat.observation, items)
    with torch.no_grad():
        next_value = twin.network.values(flat.next_observation, items)
        value, next_value = value.view_as(batch.reward), next_value.view_as(batch.reward)
        advantages = generalized_advantages(batch.reward, value, next_value, batch.terminated, batch.truncated, 0.9, 0.8).flatten()
    (-(slate_probability(preferences, flat.slate).log_prob * (normalized(advantages) if normalize else advantages)).mean()).backward()

    (_, policy_loss), (_, value_loss) = agent.losses(batch)
    assert value_loss.item() == pytest.approx(advantages.square().mean().item(), rel=1e-4)
    policy_loss.backward()
    for found, expected in zip(agent.network.policy_parameters(), twin.network.policy_parameters(), strict=True):
        if expected.grad is not None:
            torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-6)
    assert agent.network.policy.query.weight.grad.abs().max() > 1e-4


def test_ratios_beyond_the_clip_range_gain_nothing_more():
    """Equation 7 at the four corners, and inside."""
    agent = build(clip_range=0.2)
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1], requires_grad=True)
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
    loss = agent.policy_loss(ratio.log(), advantages)
    gains = [1.2, -1.5, 0.5, -0.8, 2.2]
    assert loss.item() == pytest.approx(-sum(gains) / 5)
    loss.backward()
    torch.testing.assert_close(ratio.grad, torch.tensor([0.0, 1.0, -1.0, 0.0, -2.0]) / 5)


def test_the_clipped_value_counts_where_its_error_is_larger():
    old, value, returns = torch.tensor([0.0, 0.0]), torch.tensor([1.0, -1.0]), torch.tensor([2.0, 1.0])
    plain, clipped = build(), build(value_clip=0.5)
    assert plain.value_loss(value, samples(old, returns)).item() == pytest.approx((1 + 4) / 2)
    # the first value moves further than allowed towards the return: clipped to 0.5; the second moves away: counted unclipped
    assert clipped.value_loss(value, samples(old, returns)).item() == pytest.approx((2.25 + 4) / 2)


def test_each_epoch_uses_each_step_of_the_chunk_once():
    agent = build(**PPO)
    batch = chunk(agent)
    seen, original = [], RolloutSamples.rows

    def watched(self, rows):
        seen.append(rows)
        return original(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RolloutSamples, "rows", watched)
        losses = update(agent, agent.optimizers(), batch)
    assert [name for name, _ in losses] == ["policy", "value"] * 12
    assert [len(rows) for rows in seen] == [15] * 12
    epochs = [torch.cat(seen[start : start + 4]) for start in (0, 4, 8)]
    assert all(torch.equal(epoch.sort().values, torch.arange(60)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_a_chunk_with_fewer_steps_than_minibatches_is_split_into_single_steps():
    agent = build(clip_range=0.2, minibatches=50)
    assert len(update(agent, agent.optimizers(), chunk(agent, steps=2))) == 2 * 12


def test_epochs_stop_once_the_divergence_exceeds_target_kl():
    steps = {}
    for target_kl in (None, 1e-9, 1e9):
        agent = build(clip_range=0.2, epochs=5, learning_rate=0.05, target_kl=target_kl)
        steps[target_kl] = len(update(agent, agent.optimizers(), chunk(agent))) // 2
        assert agent.diagnostics()["kl"].item() >= 0
    # the first epoch starts from the policy that acted; the second one measures the divergence and is the last
    assert steps == {None: 5, 1e-9: 2, 1e9: 5}


def test_the_first_step_starts_from_the_policy_that_acted():
    for options in ({}, {"whole_catalog_items": 1, "working_items": 16}):
        agent = build(slate_size=3, clip_range=0.2, **options)
        update(agent, agent.optimizers(), chunk(agent))
        assert agent.diagnostics()["kl"].item() == pytest.approx(0, abs=1e-6)
        assert agent.diagnostics()["clipped"].item() == 0


@pytest.mark.parametrize("options", [{"epochs": 2}, {"minibatches": 2}])
def test_several_steps_without_a_clip_range_are_rejected(options):
    with pytest.raises(ValueError, match=r"agent\.clip_range must be set"):
        build(**options)


def test_diagnostics_of_a_chunk():
    agent = build(**PPO)
    assert agent.diagnostics() == {}
    update(agent, agent.optimizers(), chunk(agent))
    assert set(agent.diagnostics()) == {"entropy", "mean_value", "explained_variance", "kl", "clipped"}


def test_the_experience_is_a_rollout():
    assert build().experience == Rollout()


def test_the_ppo_preset_clips_and_takes_several_steps():
    preset = OmegaConf.load(Path(next(iter(conf.__path__))) / "agent" / "ppo.yaml")
    assert preset.pop("defaults") == ["actor_critic", "_self_"]
    config = ActorCriticConfig(**preset)
    assert config.clip_range == 0.2
    assert config.epochs * config.minibatches > 1
