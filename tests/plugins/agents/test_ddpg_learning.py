"""DDPG and TD3 learn: a continuous target, the items of users, and the pendulum."""

import json

import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import PAD, Environment, EnvironmentSpec, Observation, Response, Step
from recframe.testing import check_agent, check_environment
from recframe_plugins.agents.baselines.config import RandomConfig
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.wolpertinger import build_ddpg
from recframe_plugins.state_trackers.config import MeanConfig, MLPConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.mlp import MLPTracker

TD3 = {"critics": 2, "actor_interval": 2, "target_noise": 0.2}
QUICK = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4, "random_steps": 256, "target_update_rate": 0.02}
QUICK |= {"critic_learning_rate": 3e-3, "actor_learning_rate": 3e-3, "hidden_sizes": [64]}
SMALL = {"item_dim": 32, "state_dim": 32}


class Aim(Environment):
    """The best action for features x in -1 to 1 is -x, scaled to the bounds. The click is 1 less the squared distance from it.

    A session has four steps; after the last one it is terminated with probability 1/2, and otherwise truncated.
    """

    def __init__(self, num_users=32):
        self.low, self.high = torch.tensor([-3.0, 0.0]), torch.tensor([1.0, 10.0])
        bounds = {"action_low": tuple(self.low.tolist()), "action_high": tuple(self.high.tolist())}
        self.spec = EnvironmentSpec(num_users, 1, 1, 1, ("click",), num_features=2, has_users=False, actions="continuous", **bounds)
        self.generator = torch.Generator()

    def reset(self, seed):
        self.generator.manual_seed(seed)
        self.shots = torch.zeros(self.spec.num_users, dtype=torch.int64)
        return self._look()

    def step(self, slate):
        aimed = 2 * (slate - self.low) / (self.high - self.low) - 1
        click = 1 - (aimed + self.features).square().sum(dim=1, keepdim=True)
        self.shots = self.shots + 1
        over, ends = self.shots == 4, torch.rand(len(slate), generator=self.generator) < 0.5
        self.shots = self.shots.masked_fill(over, 0)
        response = Response(signals=TensorDict({"click": click}, batch_size=[len(slate)]), leave=over & ends, batch_size=[len(slate)])
        observation = self._look()
        return Step(response, observation.clone(), observation, over & ends, over & ~ends)

    def _look(self):
        self.features = 2 * torch.rand(self.spec.num_users, 2, generator=self.generator) - 1
        return self._observation()

    def _observation(self):
        users = self.spec.num_users
        return Observation(
            user=torch.zeros(users, dtype=torch.int64),
            history_items=torch.full((users, 1), PAD),
            history_feedback=torch.zeros(users, 1, 1),
            features=self.features,
            batch_size=[users],
        )

    def state_dict(self):
        return {"features": self.features, "shots": self.shots, "generator": self.generator.get_state()}

    def load_state_dict(self, state):
        self.features, self.shots = state["features"], state["shots"]
        self.generator.set_state(state["generator"])
        return self._observation()


def marksman(environment, data, seed, **options):
    torch.manual_seed(seed)
    tracker = MLPTracker(MLPConfig(item_dim=4, hidden_sizes=[32]), environment.spec, data)
    return build_ddpg(DDPGConfig(**{**QUICK, "gamma": 0.5, **options}), environment.spec, tracker, seed=seed)


def recommender(environment, data, seed, **options):
    torch.manual_seed(seed)
    tracker = MeanTracker(MeanConfig(**SMALL), environment.spec, data)
    near = {"neighbors": 5, "exploration_noise": 0.5, "epsilon": 0.2, "index_interval": 20, "batch_size": 64}
    return build_ddpg(DDPGConfig(**{**QUICK, **near, **options}), environment.spec, tracker, seed=seed)


def mean_click(agent, environment, steps=40):
    observation, clicks = environment.reset(12345), []
    agent.prepare_to_act()
    for _ in range(steps):
        step = environment.step(agent.act(observation, explore=False).slate)
        clicks.append(step.response.signals["click"].mean())
        observation = step.observation
    return float(torch.stack(clicks).mean())


def test_the_aiming_environment_and_its_agents_pass_the_checks(profile_bandit):
    data, _ = profile_bandit
    check_environment(Aim(), data)
    for options in ({}, TD3):
        check_agent(marksman(Aim(), data, 0, **options), Aim())


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
@pytest.mark.parametrize("options", [{}, TD3], ids=["ddpg", "td3"])
def test_the_agent_learns_actions_within_asymmetric_bounds(options, seed, profile_bandit, train):
    (data, _), environment = profile_bandit, Aim()
    # the sum of two squared differences of uniform numbers from -1 to 1 has mean 4/3
    assert mean_click(RandomAgent(RandomConfig(), environment.spec, None, seed=seed), environment) == pytest.approx(-1 / 3, abs=0.1)
    learner = marksman(environment, data, seed, **options)
    train(learner, environment, chunks=80)
    assert mean_click(learner, environment) > 0.9


@pytest.mark.parametrize(
    ("options", "seed"),
    [({}, 0), pytest.param({}, 1, marks=pytest.mark.evidence), (TD3, 0)],
    ids=["ddpg-0", "ddpg-1", "td3-0"],
)
def test_the_agent_learns_the_item_of_each_user(options, seed, profile_bandit, train, mean_return):
    data, environment = profile_bandit
    assert mean_return(RandomAgent(RandomConfig(), environment.spec, None, seed=seed), environment) < 0.1
    learner = recommender(environment, data, seed, **options)
    train(learner, environment, chunks=100)
    assert mean_return(learner, environment) > 0.6


def test_the_agent_learns_to_wait_for_a_delayed_reward(patience_game, train, mean_return):
    data, environment = patience_game
    learner = recommender(environment, data, 0, neighbors=3)
    train(learner, environment, chunks=50)
    assert mean_return(learner, environment) > 0.95


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("agent", ["ddpg", "td3"])
def test_the_shipped_experiment_swings_the_pendulum_up(agent, seed, recframe, tmp_path):
    choice = ["experiment=pendulum", f"agent={agent}", f"seed={seed}", "logger=[]", "evaluation.references=false"]
    recframe("train", *choice, "hydra.run.dir=run", check=True)
    policies = json.loads((tmp_path / "run" / "result.json").read_text())["policies"]
    # returns: about -150 for swinging the pendulum up and keeping it there, about -1200 for random actions
    assert policies["trained"]["return"]["mean"] >= -200
