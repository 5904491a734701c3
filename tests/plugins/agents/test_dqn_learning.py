"""DQN finds the best policy of small environments where it is known."""

import pytest
import torch

from recframe.testing import check_environment
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.state_trackers.config import GRUConfig, MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.recurrent import GRUTracker

QUICK = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4, "epsilon_decay_steps": 3_000, "target_update_interval": 25}
SMALL = {"item_dim": 32, "state_dim": 32}


def agent(data, environment, seed, tracker=MeanTracker, tracker_config=None, **options):
    torch.manual_seed(seed)
    state_tracker = tracker(tracker_config or MeanConfig(**SMALL), environment.spec, data)
    return DQN(DQNConfig(**{**QUICK, "learning_rate": 3e-3, **options}), environment.spec, state_tracker, seed=seed)


def test_the_environments_pass_the_checks(profile_bandit, context_bandit, patience_game):
    for data, environment in (profile_bandit, context_bandit, patience_game):
        check_environment(environment, data)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
@pytest.mark.parametrize("world", ["profile_bandit", "context_bandit"])
def test_the_agent_learns_the_item_of_each_user(world, seed, request, train, mean_return):
    data, environment = request.getfixturevalue(world)
    random = RandomAgent(None, environment.spec, None, seed=seed)
    assert mean_return(random, environment) < 0.1
    learner = agent(data, environment, seed)
    train(learner, environment, chunks=140)
    assert mean_return(learner, environment) > 0.9


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
@pytest.mark.parametrize(("tracker", "config"), [(MeanTracker, MeanConfig(**SMALL)), (GRUTracker, GRUConfig(**SMALL))], ids=["mean", "gru"])
def test_the_agent_learns_to_wait_for_a_delayed_reward(tracker, config, seed, patience_game, train, mean_return):
    data, environment = patience_game
    learner = agent(data, environment, seed, tracker, config)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) > 0.95


@pytest.mark.parametrize("double", [True, False])
def test_the_agent_learns_to_wait_with_soft_target_updates(double, patience_game, train, mean_return):
    data, environment = patience_game
    learner = agent(data, environment, 0, double=double, target_update_interval=1, target_update_rate=0.05, loss="mse")
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) > 0.95


def test_with_gamma_0_the_agent_takes_the_immediate_reward(patience_game, train, mean_return):
    data, environment = patience_game
    learner = agent(data, environment, 0, gamma=0.0)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) == pytest.approx(0.6)
