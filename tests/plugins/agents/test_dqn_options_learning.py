"""DQN learns with each of its options, from the replay memory that it requests."""

import pytest
import torch

from recframe.experience import batch_source_for
from recframe.testing import collect, update
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

WORLD_SEED, REPLAY_SEED = 1_000_003, 2_000_003
QUICK = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4, "epsilon_decay_steps": 3_000, "target_update_interval": 25}
OPTIONS = {
    "double": {"double": True},
    "vanilla": {"double": False},
    "dueling": {"dueling": True},
    "three steps": {"n_step": 3},
    "prioritized": {"priority_exponent": 0.6},
    "all": {"dueling": True, "n_step": 3, "priority_exponent": 0.5},
}

# sessions of one step, in which n-step returns and maxima over next items have no effect
BANDIT = ["dueling", "prioritized"]


def train(data, environment, seed, chunks, **options):
    torch.manual_seed(seed)
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), environment.spec, data)
    learner = DQN(DQNConfig(**{**QUICK, "learning_rate": 3e-3, **options}), environment.spec, tracker, seed=seed)
    source, optimizers, observation = (
        batch_source_for(learner.experience, REPLAY_SEED, "cpu"),
        learner.optimizers(),
        environment.reset(WORLD_SEED),
    )
    for _ in range(chunks):
        steps, observation = collect(learner, environment, observation, 4)
        for step in steps:
            source.add(step)
        for batch in source.batches():
            update(learner, optimizers, batch)
            source.learned(learner.priorities())
    return learner


@pytest.mark.evidence
@pytest.mark.parametrize("options", [OPTIONS[name] for name in BANDIT], ids=BANDIT)
def test_the_agent_learns_the_item_of_each_user(options, profile_bandit, mean_return):
    data, environment = profile_bandit
    assert mean_return(RandomAgent(None, environment.spec, None, seed=0), environment) < 0.1
    assert mean_return(train(data, environment, 0, 100, **options), environment) > 0.8


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_agent_learns_to_wait_for_a_delayed_reward(options, patience_game, mean_return):
    data, environment = patience_game
    # n-step returns are those of the behaviour policy, so it must not explore much, nor be much older
    recent = {"replay_capacity": 1_000, "epsilon_decay_steps": 2_000}
    assert mean_return(train(data, environment, 0, 40, **recent, **options), environment) > 0.95
