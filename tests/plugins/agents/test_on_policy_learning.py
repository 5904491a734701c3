"""REINFORCE, A2C and PPO find the best policy where it is known, with single items and with slates."""

import pytest
import torch

from recframe.testing import ToyEnvironment, collect, toy_data, toy_spec, update
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.policy_gradient.actor_critic import ActorCritic
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig, ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

WORLD_SEED = 1_000_003
AGENTS = {
    "reinforce": (Reinforce, ReinforceConfig, {}),
    "reinforce_shared": (Reinforce, ReinforceConfig, {"network": "shared"}),
    "reinforce_top_k": (Reinforce, ReinforceConfig, {"top_k_correction": True}),
    "a2c": (ActorCritic, ActorCriticConfig, {}),
    "a2c_shared": (ActorCritic, ActorCriticConfig, {"network": "shared"}),
    "ppo": (
        ActorCritic,
        ActorCriticConfig,
        {"clip_range": 0.2, "epochs": 3, "minibatches": 2, "learning_rate": 2e-3, "normalize_advantages": True},
    ),
}


def agent(name, data, environment, seed, **options):
    torch.manual_seed(seed)
    factory, config, preset = AGENTS[name]
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), environment.spec, data)
    return factory(config(**{"learning_rate": 5e-3, **preset, **options}), environment.spec, tracker, seed=seed)


def train(learner, environment, chunks, chunk_steps=4):
    # a seed that no agent of these tests has
    optimizers, observation = learner.optimizers(), environment.reset(WORLD_SEED)
    for _ in range(chunks):
        rollout, observation = collect(learner, environment, observation, chunk_steps)
        update(learner, optimizers, rollout)


@pytest.mark.parametrize(
    ("name", "chunks", "seed"),
    [
        ("reinforce", 120, 0),
        pytest.param("reinforce", 120, 1, marks=pytest.mark.evidence),
        ("reinforce_shared", 140, 0),
        ("a2c", 120, 0),
        ("ppo", 60, 0),
    ],
)
def test_the_agent_learns_the_item_of_each_user(name, chunks, seed, profile_bandit, mean_return):
    data, environment = profile_bandit
    assert mean_return(RandomAgent(None, environment.spec, None, seed=seed), environment) < 0.1
    learner = agent(name, data, environment, seed, entropy_weight=0.1)
    train(learner, environment, chunks)
    assert mean_return(learner, environment) > 0.9


@pytest.mark.parametrize(
    ("name", "chunks", "seed"),
    [
        *[("reinforce", 50, 0), ("a2c", 50, 0), ("a2c_shared", 50, 0), ("ppo", 20, 0)],
        *(pytest.param(name, chunks, 1, marks=pytest.mark.evidence) for name, chunks in (("a2c", 50), ("ppo", 20))),
    ],
)
def test_the_agent_learns_to_wait_for_a_delayed_reward(name, chunks, seed, patience_game, mean_return):
    data, environment = patience_game
    learner = agent(name, data, environment, seed, entropy_weight=0.2 if name != "ppo" else 0.1)
    train(learner, environment, chunks)
    assert mean_return(learner, environment) > 0.95


def test_with_gamma_0_the_agent_takes_the_immediate_reward(patience_game, mean_return):
    data, environment = patience_game
    learner = agent("a2c", data, environment, 0, entropy_weight=0.2, gamma=0.0)
    train(learner, environment, chunks=50)
    assert mean_return(learner, environment) == pytest.approx(0.6)


@pytest.mark.parametrize(("name", "chunks"), [("reinforce", 60), ("reinforce_top_k", 60), ("ppo", 20)])
def test_slates_contain_more_of_the_liked_items_after_training(name, chunks):
    data = toy_data()
    spec = toy_spec(data, num_users=32, slate_size=3, num_excluded=4)
    environment = ToyEnvironment(spec, data)

    def clicks(one):
        """Mean clicks on a slate."""
        observation, total = environment.reset(7), 0.0
        one.prepare_to_act()
        for _ in range(40):
            step = environment.step(one.act(observation, explore=False).slate)
            observation, total = step.observation, total + step.response.signals["click"].sum(dim=1).mean().item()
        return total / 40

    learner = agent(name, data, environment, 0, gamma=0.0)
    before = clicks(learner)
    train(learner, environment, chunks)
    assert clicks(learner) > max(before, clicks(RandomAgent(None, spec, None, seed=0))) + 0.5
