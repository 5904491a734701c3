"""DQN: the equations in numpy, the target network, exploration and checkpoints."""

import copy
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from recframe import conf
from recframe.interfaces import PAD, Replay
from recframe.testing import ToyEnvironment, ToyTracker, check_component, toy_data, toy_observation, toy_spec, toy_transition, update
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.agents.registration import recframe_register_components
from tests.agent_variants import check_variant

COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.setdefault(component.name, component))
DATA = toy_data()


def build(seed=0, num_candidates=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, num_candidates=num_candidates)
    return DQN(DQNConfig(**options), spec, ToyTracker(spec, DATA), seed=seed)


def disturb(network, seed=1):
    """Change a network's weights by random numbers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def batch(agent, users=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.reward = torch.randn(users, generator=generator)
    transition.terminated = torch.arange(users) % 4 == 0
    transition.truncated = torch.arange(users) % 4 == 1
    return transition


def q_values(network, observation):
    """Q(s, i) of all items, `[N, M]`, written out: V(s) + <W s + w, v_i> / sqrt(d) + r(s) [i in s's history]."""
    with torch.no_grad():
        items = network.state_tracker.project_items()
        state = network.state_tracker(observation, items).numpy()
        value, query, repeat = (
            state @ layer.weight.numpy().T + layer.bias.numpy() for layer in (network.value, network.query, network.repeat)
        )
    shown = np.zeros((len(state), len(items)))
    for row, history in enumerate(observation.history_items.numpy()):
        shown[row, history[history != PAD]] = 1
    return value + query @ items.numpy().T / np.sqrt(items.shape[1]) + repeat * shown


def reference_target(agent, transition, double):
    """The equations of van Hasselt et al. (2016): (4) with `double`, (2) without."""
    online, target = (q_values(network, transition.next_observation) for network in (agent.online, agent.target))
    allowed = np.ones_like(online, dtype=bool)
    if transition.next_observation.candidates is not None:
        allowed[:] = False
        for row, candidates in enumerate(transition.next_observation.candidates.numpy()):
            allowed[row, candidates[candidates != PAD]] = True
    chosen = np.where(allowed, online if double else target, -np.inf).argmax(axis=1)
    following = target[np.arange(len(chosen)), chosen]
    return transition.reward.numpy() + agent.config.gamma * np.where(transition.terminated.numpy(), 0, following)


def target_of(agent, transition):
    return agent.td_target(transition, agent.working_set.whole, agent.online.state_tracker.project_items().detach()).numpy()


@pytest.mark.parametrize(
    "config",
    [
        DQNConfig(),
        DQNConfig(double=False, loss="mse", target_update_interval=2, target_update_rate=0.5),
        DQNConfig(dueling=True, n_step=3, priority_exponent=0.5),
    ],
)
def test_the_agent_passes_the_checks(config):
    (check_component if config == DQNConfig() else check_variant)(COMPONENTS["dqn"], config)


@pytest.mark.parametrize("num_candidates", [0, 6])
@pytest.mark.parametrize("double", [True, False])
def test_the_target_follows_the_papers_equation(double, num_candidates):
    agent = build(double=double, num_candidates=num_candidates)
    disturb(agent.target)
    transition = batch(agent)
    target = target_of(agent, transition)
    np.testing.assert_allclose(target, reference_target(agent, transition, double), rtol=1e-4, atol=1e-5)
    other = reference_target(agent, transition, not double)
    assert np.abs(target - other).max() > 0.1
    # the value of another network's choice is at most the maximum
    assert (reference_target(agent, transition, True) <= reference_target(agent, transition, False) + 1e-5).all()


def test_items_that_are_not_next_candidates_do_not_raise_the_target():
    agent = build(num_candidates=6, double=False)
    disturb(agent.target)
    transition = batch(agent)
    with_candidates = target_of(agent, transition)
    everything = copy.deepcopy(transition)
    everything.next_observation.candidates = None
    without = target_of(agent, everything)
    going_on = ~transition.terminated.numpy()
    assert (with_candidates[going_on] < without[going_on]).mean() > 0.5
    assert (with_candidates <= without + 1e-5).all()


def test_only_terminated_sessions_do_not_bootstrap():
    agent = build()
    disturb(agent.target)
    transition = batch(agent)
    beyond = np.abs(target_of(agent, transition) - transition.reward.numpy())
    assert (beyond[transition.terminated.numpy()] == 0).all()
    assert (beyond[transition.truncated.numpy()] > 0).all()


def test_targets_are_finite_without_next_candidates_after_termination():
    agent = build(num_candidates=6)
    transition = batch(agent)
    transition.next_observation.candidates[transition.terminated] = PAD
    assert np.isfinite(target_of(agent, transition)).all()


@pytest.mark.parametrize("loss", ["huber", "mse"])
def test_the_loss_is_that_of_the_shown_items(loss):
    agent = build(loss=loss)
    disturb(agent.target)
    transition = batch(agent)
    shown = q_values(agent.online, transition.observation)[np.arange(64), transition.slate[:, 0].numpy()]
    error = shown - reference_target(agent, transition, double=True)
    expected = {"huber": np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5), "mse": error**2}[loss].mean()
    ((name, value),) = agent.losses(transition)
    assert name == "q"
    assert value.item() == pytest.approx(expected, rel=1e-4)
    assert float(agent.diagnostics()["mean_q"]) == pytest.approx(shown.mean(), rel=1e-3, abs=1e-5)


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize(("interval", "rate"), [(3, 1.0), (2, 0.25)])
def test_the_target_network_moves_by_the_rate_every_interval(interval, rate):
    agent = build(target_update_interval=interval, target_update_rate=rate)
    optimizers = agent.optimizers()
    for count in range(1, 3 * interval + 1):
        before = weights(agent.target)
        target_of(agent, batch(agent))  # fills caches, which must be dropped at the next move
        update(agent, optimizers, batch(agent, seed=count))
        expected = before + rate * (weights(agent.online) - before) if count % interval == 0 else before
        torch.testing.assert_close(weights(agent.target), expected)
        np.testing.assert_allclose(target_of(agent, batch(agent)), reference_target(agent, batch(agent), True), rtol=1e-4, atol=1e-5)


def test_the_target_network_is_not_trained():
    agent = build()
    assert not any(parameter.requires_grad for parameter in agent.target.parameters())
    trained = {id(parameter) for group in agent.optimizers()["q"].param_groups for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in agent.online.parameters()}


@pytest.mark.parametrize("num_candidates", [0, 6])
def test_greedy_actions_maximize_q_among_the_candidates(num_candidates):
    agent = build(num_candidates=num_candidates)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=50)
    values = torch.from_numpy(q_values(agent.online, observation))
    if num_candidates:
        allowed = torch.zeros(50, values.shape[1] + 1, dtype=torch.bool)
        allowed = allowed.scatter(1, observation.candidates % (values.shape[1] + 1), True)[:, :-1]
        values = values.masked_fill(~allowed, -torch.inf)
    agent.prepare_to_act()
    assert torch.equal(agent.act(observation, explore=False).slate[:, 0], values.argmax(dim=1))


def test_acting_after_an_update_uses_the_new_weights_without_prepare_to_act():
    agent = build(learning_rate=0.1)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=50)
    agent.prepare_to_act()
    before = agent.act(observation, explore=False).slate
    optimizers = agent.optimizers()
    for seed in range(3):
        update(agent, optimizers, batch(agent, seed=seed))
    after = agent.act(observation, explore=False).slate
    assert torch.equal(after[:, 0], torch.from_numpy(q_values(agent.online, observation).argmax(axis=1)))
    assert not torch.equal(after, before)


def test_epsilon_follows_the_user_steps():
    agent = build(epsilon_start=1.0, epsilon_end=0.1, epsilon_decay_steps=900)
    seen = []
    for agent.env_steps in (0, 450, 900, 5_000):
        seen.append(agent.diagnostics()["epsilon"])
    assert seen == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_a_resumed_agent_continues_with_identical_numbers():
    """Saved between two moves of the target network, in the middle of the exploration schedule."""
    agent = build(target_update_interval=4, epsilon_decay_steps=100)
    optimizers = agent.optimizers()
    environment = ToyEnvironment(agent.spec, DATA)
    for seed in range(6):
        update(agent, optimizers, batch(agent, seed=seed))
    agent.env_steps = 40
    agent.act(environment.reset(0), explore=True)
    file = io.BytesIO()
    torch.save({"agent": agent.state_dict(), "optimizer": optimizers["q"].state_dict()}, file)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = build(seed=9, target_update_interval=4, epsilon_decay_steps=100)
    resumed.act(environment.reset(1), explore=True)
    update(resumed, resumed.optimizers(), batch(resumed))
    resumed.load_state_dict(saved["agent"])
    resumed_optimizers = resumed.optimizers()
    resumed_optimizers["q"].load_state_dict(saved["optimizer"])

    for seed in range(6, 12):
        observation = environment.reset(seed)
        decisions = [one.act(observation, explore=True) for one in (agent, resumed)]
        assert torch.equal(decisions[0].slate, decisions[1].slate)
        assert torch.equal(decisions[0].log_prob, decisions[1].log_prob)
        assert update(agent, optimizers, batch(agent, seed=seed)) == update(resumed, resumed_optimizers, batch(agent, seed=seed))
    assert torch.equal(weights(agent), weights(resumed))
    assert agent.updates == resumed.updates == 12


def test_the_replay_memory_follows_the_options():
    agent = build(replay_capacity=7_000, batch_size=12, learning_starts=34, updates_per_chunk=5)
    assert agent.experience == Replay(capacity=7_000, batch_size=12, learning_starts=34, updates_per_chunk=5, gamma=0.97)
    options = {"gamma": 0.5, "n_step": 3, "priority_exponent": 0.6, "importance_exponent": 0.7, "importance_anneal_steps": 90}
    assert build(**options).experience == Replay(50_000, 256, 1_000, 16, **options)


def test_slates_of_several_items_are_rejected():
    spec = toy_spec(DATA, slate_size=3)
    with pytest.raises(ValueError, match=r"environment\.slate_size must be 1, not 3"):
        DQN(DQNConfig(), spec, ToyTracker(spec, DATA), seed=0)


def test_options_with_which_learning_never_starts_are_rejected():
    with pytest.raises(ValueError, match=r"agent\.learning_starts \(500\) must not exceed agent\.replay_capacity \(100\)"):
        build(learning_starts=500, replay_capacity=100)


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("vanilla_dqn", {"double": False}),
        ("double_dqn", {"double": True}),
        ("dueling_dqn", {"double": True, "dueling": True}),
        (
            "prioritized_dqn",
            {
                **{"double": True, "dueling": True, "n_step": 3, "priority_exponent": 0.5},
                **{"importance_exponent": 0.4, "importance_anneal_steps": 5_000},
            },
        ),
    ],
)
def test_the_presets_are_dqn_with_options(preset, options):
    loaded = OmegaConf.load(Path(next(iter(conf.__path__))) / "agent" / f"{preset}.yaml")
    loaded = OmegaConf.to_container(OmegaConf.create({"trainer": {"env_steps": 5_000}, "agent": loaded}), resolve=True)["agent"]
    assert loaded == {"defaults": ["dqn", "_self_"], **options}
    build(**options)
