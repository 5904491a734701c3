"""DQN learns CartPole: the agents also learn control tasks."""

import json

import pytest
import torch

from recframe.experience import Collector, ReplayMemory, RewardSum
from recframe.testing import update
from recframe_plugins.agents.baselines.config import RandomConfig
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.environment import GymnasiumEnvironment
from recframe_plugins.rewards.config import EnvironmentRewardConfig
from recframe_plugins.rewards.environment import EnvironmentReward
from recframe_plugins.state_trackers.config import MLPConfig
from recframe_plugins.state_trackers.mlp import MLPTracker

CONFIG = GymnasiumConfig("CartPole-v1")
DATA = GymnasiumEnvironment.own_data(CONFIG)
QUICK = {"learning_rate": 5e-4, "epsilon_decay_steps": 3_000}
SETTINGS = {"gamma": 0.99, "batch_size": 128, "target_update_interval": 50, "loss": "mse", **QUICK}
# differs from the agent's seed: generators with equal seeds draw equal numbers
WORLD_SEED, REPLAY_SEED, EVALUATION_SEED = 1_000_003, 2_000_003, 3_000_003


def world(users):
    return GymnasiumEnvironment(CONFIG, DATA, num_users=users, history_length=1, split="train", device="cpu")


def trained(seed, env_steps):
    environment = world(8)
    torch.manual_seed(seed)
    agent = DQN(DQNConfig(**SETTINGS), environment.spec, MLPTracker(MLPConfig(), environment.spec, DATA), seed=seed)
    rewards = RewardSum({"environment": (EnvironmentReward(EnvironmentRewardConfig()), 1.0)}, DATA.catalog, frozenset())
    collector, plan, optimizers = Collector(environment, rewards, WORLD_SEED), agent.experience, agent.optimizers()
    memory = ReplayMemory(plan.capacity, REPLAY_SEED, "cpu")
    while agent.env_steps < env_steps:
        agent.prepare_to_act()
        for _ in range(8):
            memory.add(collector.step(agent))
        if memory.size >= plan.learning_starts:
            for _ in range(plan.updates_per_chunk):
                update(agent, optimizers, memory.sample(plan.batch_size))
    return agent


@torch.no_grad()
def interval(agent, users=64):
    """The 95 % interval of the mean return over the given number of greedy sessions."""
    environment = world(users)
    observation, going_on, returns = environment.reset(EVALUATION_SEED), torch.ones(users, dtype=torch.bool), torch.zeros(users)
    agent.prepare_to_act()
    while going_on.any():
        step = environment.step(agent.act(observation, explore=False).slate)
        returns += step.response.signals["reward"][:, 0] * going_on
        going_on &= ~(step.terminated | step.truncated)
        observation = step.observation
    margin = 1.96 * float(returns.std()) / users**0.5
    return float(returns.mean()) - margin, float(returns.mean()) + margin


@pytest.mark.evidence
def test_dqn_balances_the_pole_several_times_as_long_as_random():
    by_chance = interval(RandomAgent(RandomConfig(), world(64).spec, None, seed=0))
    learned = interval(trained(seed=0, env_steps=6_000))
    assert by_chance[1] < 30
    assert learned[0] > 3 * by_chance[1]


@pytest.mark.evidence
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shipped_experiment_learns(recframe, tmp_path, seed):
    recframe("train", "experiment=cartpole", f"seed={seed}", "logger=[]", "hydra.run.dir=run", check=True)
    policies = json.loads((tmp_path / "run" / "result.json").read_text())["policies"]
    trained, random = (policies[name]["return"] for name in ("trained", "random"))
    assert random["high"] < 30
    assert trained["mean"] >= 475
