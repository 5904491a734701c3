"""DDPG and TD3 for continuous actions: the equations in numpy, exploration, delayed updates and target networks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from recframe import conf
from recframe.interfaces import Replay
from recframe.testing import ToyTracker, check_agent, toy_data, toy_observation, toy_spec, toy_transition, update
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.ddpg import DDPG
from recframe_plugins.agents.ddpg.wolpertinger import build_ddpg
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.environment import GymnasiumEnvironment
from recframe_plugins.state_trackers.config import MLPConfig
from recframe_plugins.state_trackers.mlp import MLPTracker

DATA = toy_data()
LOW, HIGH = (-2.0, 0.0, 10.0), (2.0, 0.5, 30.0)
TD3 = {"critics": 2, "actor_interval": 2, "target_noise": 0.2}


def build(seed=0, **options):
    torch.manual_seed(seed)
    spec = replace(toy_spec(DATA), actions="continuous", action_low=LOW, action_high=HIGH)
    return build_ddpg(DDPGConfig(hidden_sizes=[12, 10], **options), spec, ToyTracker(spec, DATA), seed=seed)


def disturb(network, seed=1):
    """Change a network's weights by random numbers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def batch(agent, users=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.slate = torch.lerp(agent.low, agent.high, torch.rand(users, 3, generator=generator))
    transition.reward = torch.randn(users, generator=generator)
    transition.terminated = torch.arange(users) % 4 == 0
    transition.truncated = torch.arange(users) % 4 == 1
    return transition


def perceptron(layers, inputs):
    """W_3 relu(W_2 relu(W_1 x + b_1) + b_2) + b_3."""
    first, second, third = ((layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in list(layers)[::2])
    for weight, bias in (first, second):
        inputs = np.maximum(inputs @ weight.T + bias, 0)
    return inputs @ third[0].T + third[1]


def state(network, observation):
    with torch.no_grad():
        return network.state_tracker(observation, network.state_tracker.project_items()).numpy()


def mu(actor, observation):
    return np.tanh(perceptron(actor.layers, state(actor, observation)))


def q_value(critic, observation, points):
    return perceptron(critic.layers, np.concatenate([state(critic, observation), points], axis=1))[:, 0]


def scaled(slate):
    return 2 * (slate.numpy() - np.array(LOW)) / (np.array(HIGH) - np.array(LOW)) - 1


def reference_target(agent, transition):
    after = transition.next_observation
    points = mu(agent.target_actor, after)
    following = np.minimum.reduce([q_value(critic, after, points) for critic in agent.target_critics])
    return transition.reward.numpy() + agent.config.gamma * np.where(transition.terminated.numpy(), 0, following)


def weights(*networks):
    return torch.cat([parameter.detach().flatten() for network in networks for parameter in network.parameters()])


@pytest.mark.parametrize("options", [{}, TD3])
def test_the_agent_passes_the_checks(options):
    config = GymnasiumConfig("Pendulum-v1")
    data = GymnasiumEnvironment.own_data(config)
    environment = GymnasiumEnvironment(config, data, num_users=4, history_length=1, split="train", device="cpu")
    tracker = MLPTracker(MLPConfig(), environment.spec, data)
    check_agent(build_ddpg(DDPGConfig(random_steps=10, **options), environment.spec, tracker, seed=0), environment)


@pytest.mark.parametrize("critics", [1, 2])
def test_the_target_is_the_smallest_target_critic_value_of_the_target_actors_action(critics):
    agent = build(critics=critics)
    disturb(agent.target_actor)
    for seed, critic in enumerate(agent.target_critics):
        disturb(critic, seed)
    transition = batch(agent)
    expected = reference_target(agent, transition)
    np.testing.assert_allclose(agent.td_target(transition, agent.working_set.whole).numpy(), expected, rtol=1e-4, atol=1e-5)
    if critics == 2:
        one = q_value(agent.target_critics[0], transition.next_observation, mu(agent.target_actor, transition.next_observation))
        assert (expected < transition.reward.numpy() + agent.config.gamma * one - 1e-3).any()


def test_only_terminated_sessions_do_not_bootstrap():
    agent = build()
    transition = batch(agent)
    beyond = (agent.td_target(transition, agent.working_set.whole) - transition.reward).abs()
    assert (beyond[transition.terminated] == 0).all()
    assert (beyond[transition.truncated] > 0).all()


def test_the_noise_on_the_targets_action_is_clipped():
    agent = build(target_noise=0.2, target_noise_clip=0.3)
    point = torch.tensor([[0.0, 0.9, -1.0]]).expand(20_000, -1)
    noise = agent.with_noise(point, 0.2, 0.3) - point
    assert noise[:, 0].abs().max() == pytest.approx(0.3)
    # a normal variable of standard deviation 0.2 exceeds 0.3 in absolute value in 13.4 % of cases, half of them positive
    assert (noise[:, 0].abs() > 0.299).float().mean() == pytest.approx(0.134, abs=0.01)
    assert noise[:, 1].max() == pytest.approx(0.1)
    assert (noise[:, 2] == 0).float().mean() == pytest.approx(0.5, abs=0.02)

    transition = batch(agent)
    targets = torch.stack([agent.td_target(transition, agent.working_set.whole) for _ in range(2)])
    assert not torch.equal(*targets)
    still = build(target_noise=0.0)
    assert torch.equal(*(still.td_target(transition, agent.working_set.whole) for _ in range(2)))


@pytest.mark.parametrize("critics", [1, 2])
def test_each_critic_learns_the_values_of_the_actions_taken(critics):
    agent = build(critics=critics)
    disturb(agent.critics)
    transition = batch(agent)
    values = [q_value(critic, transition.observation, scaled(transition.slate)) for critic in agent.critics]
    name, loss = next(agent.losses(transition))
    assert name == "critic"
    expected = sum(((value - reference_target(agent, transition)) ** 2).mean() for value in values)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert float(agent.diagnostics()["mean_q"]) == pytest.approx(np.mean(values), rel=1e-3, abs=1e-5)


def test_the_actor_follows_the_gradient_of_the_updated_critic():
    agent = build(critics=2, critic_learning_rate=0.05)
    transition, optimizers = batch(agent), agent.optimizers()
    losses = agent.losses(transition)
    _, loss = next(losses)
    loss.backward()
    optimizers["critic"].step()
    name, loss = next(losses)
    assert name == "actor"
    # the value of the critic after its step
    points = mu(agent.actor, transition.observation)
    assert loss.item() == pytest.approx(-q_value(agent.critics[0], transition.observation, points).mean(), rel=1e-4)

    # the deterministic policy gradient: mean of grad_a Q(s, a) at a = mu(s), times grad_theta mu(s)
    critic, observation = agent.critics[0], transition.observation
    action = torch.tensor(points, requires_grad=True)
    values = critic.layers(torch.cat([torch.from_numpy(state(critic, observation)), action], dim=1))
    (slope,) = torch.autograd.grad(values.mean(), action)
    proposed = agent.actor(observation, agent.actor.state_tracker.project_items())
    parameters = [parameter for parameter in agent.actor.parameters() if parameter.requires_grad]
    expected = torch.autograd.grad(proposed, parameters, grad_outputs=-slope, allow_unused=True)
    optimizers["actor"].zero_grad()
    loss.backward()
    for parameter, gradient in zip(parameters, expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
    assert agent.actor.layers[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_actor_and_targets_move_every_actor_interval_updates(interval):
    agent = build(critics=2, actor_interval=interval, target_update_rate=0.2)
    optimizers = agent.optimizers()
    for count in range(1, 2 * interval + 1):
        actor, targets = weights(agent.actor), weights(agent.target_actor, agent.target_critics)
        stepped = [name for name, _ in update(agent, optimizers, batch(agent, seed=count))]
        after = weights(agent.target_actor, agent.target_critics)
        if count % interval == 0:
            assert stepped == ["critic", "actor"]
            assert not torch.equal(weights(agent.actor), actor)
            torch.testing.assert_close(after, targets + 0.2 * (weights(agent.actor, agent.critics) - targets))
        else:
            assert stepped == ["critic"]
            assert torch.equal(weights(agent.actor), actor)
            assert torch.equal(after, targets)


def test_networks_have_separate_trackers_and_each_optimizer_updates_its_own_networks():
    agent = build(critics=2)
    groups = {name: {id(p) for group in one.param_groups for p in group["params"]} for name, one in agent.optimizers().items()}
    assert groups["actor"] == {id(parameter) for parameter in agent.actor.parameters()}
    assert groups["critic"] == {id(parameter) for critic in agent.critics for parameter in critic.parameters()}
    networks = [agent.actor, *agent.critics, agent.target_actor, *agent.target_critics]
    parameters = [id(parameter) for network in networks for parameter in network.parameters()]
    assert len(set(parameters)) == len(parameters)
    assert not any(parameter.requires_grad for network in networks[3:] for parameter in network.parameters())


def test_actions_are_scaled_to_the_environments_bounds():
    agent = build()
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=50)
    action = agent.act(observation, explore=False).slate
    np.testing.assert_allclose(scaled(action), mu(agent.actor, observation), atol=1e-5)
    assert ((action >= agent.low) & (action <= agent.high)).all()


def test_exploration_is_uniform_at_first_and_gaussian_later():
    agent = build(random_steps=100, exploration_noise=0.1)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=1)
    observation = torch.cat([observation] * 5_000)
    greedy = scaled(agent.act(observation, explore=False).slate)
    agent.env_steps = 99
    uniform = scaled(agent.act(observation, explore=True).slate)
    np.testing.assert_allclose(uniform.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(uniform.var(axis=0), 1 / 3, atol=0.02)
    agent.env_steps = 100
    noise = scaled(agent.act(observation, explore=True).slate) - greedy
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(noise.std(axis=0), 0.1, atol=0.01)


def test_acting_after_an_update_uses_the_new_weights_without_prepare_to_act():
    agent = build(actor_learning_rate=0.05)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=50)
    before = agent.act(observation, explore=False).slate
    update(agent, agent.optimizers(), batch(agent))
    after = agent.act(observation, explore=False).slate
    np.testing.assert_allclose(scaled(after), mu(agent.actor, observation), atol=1e-5)
    assert not torch.allclose(after, before, atol=1e-3)


def test_the_replay_memory_follows_the_options():
    agent = build(replay_capacity=7_000, batch_size=12, learning_starts=34, updates_per_chunk=5)
    assert isinstance(agent, DDPG)
    assert agent.experience == Replay(capacity=7_000, batch_size=12, learning_starts=34, updates_per_chunk=5)


def test_options_with_which_learning_never_starts_are_rejected():
    with pytest.raises(ValueError, match=r"agent\.learning_starts \(500\) must not exceed agent\.replay_capacity \(100\)"):
        build(learning_starts=500, replay_capacity=100)


def test_the_td3_preset_is_ddpg_with_its_three_additions():
    preset = OmegaConf.load(Path(next(iter(conf.__path__))) / "agent" / "td3.yaml")
    assert preset == {"defaults": ["ddpg", "_self_"], **TD3}
