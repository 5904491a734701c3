"""All agents that score items learn over working sets of half the catalogue, and are evaluated on all of it."""

import pytest
import torch

from recframe.testing import collect, update
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.wolpertinger import build_ddpg
from recframe_plugins.agents.policy_gradient.actor_critic import ActorCritic
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig, ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.agents.q_learning.config import DQNConfig, SlateQConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.agents.q_learning.slate_q import SlateQ
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig
from recframe_plugins.agents.soft_actor_critic.soft_actor_critic import SoftActorCritic
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

WORLD_SEED = 1_000_003
REPLAY = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4}
Q = REPLAY | {"learning_rate": 3e-3, "epsilon_decay_steps": 3_000, "target_update_interval": 25}
ON_POLICY = {"learning_rate": 5e-3}
DDPG = REPLAY | {"critic_learning_rate": 3e-3, "actor_learning_rate": 3e-3, "hidden_sizes": [64], "random_steps": 256, "neighbors": 6}
AGENTS = {
    "dqn": (DQN, DQNConfig(**Q, whole_catalog_items=10, working_items=10)),
    "slate_q": (SlateQ, SlateQConfig(**Q, whole_catalog_items=10, working_items=10)),
    "ddpg": (build_ddpg, DDPGConfig(**DDPG, target_update_rate=0.02, whole_catalog_items=10, working_items=10)),
    "soft_actor_critic": (
        SoftActorCritic,
        SoftActorCriticConfig(**REPLAY, learning_rate=3e-3, target_update_rate=0.02, whole_catalog_items=10, working_items=10),
    ),
    "reinforce": (Reinforce, ReinforceConfig(**ON_POLICY, entropy_weight=0.1, whole_catalog_items=10, working_items=10)),
    "a2c": (ActorCritic, ActorCriticConfig(**ON_POLICY, entropy_weight=0.1, whole_catalog_items=10, working_items=10)),
}
CHUNKS = {"dqn": 60, "slate_q": 60, "ddpg": 90, "soft_actor_critic": 50, "reinforce": 110, "a2c": 110}


IN_EVERY_SUITE = ("dqn", "reinforce")
"""One that learns from replay, one from what it has just done. That all learn the same from a set of all items is tested with the sets."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in IN_EVERY_SUITE else pytest.mark.evidence) for name in AGENTS])
def test_the_agent_learns_the_item_of_each_user_among_all_items(name, profile_bandit, train, mean_return):
    data, environment = profile_bandit
    assert mean_return(RandomAgent(None, environment.spec, None, seed=0), environment) < 0.1
    torch.manual_seed(0)
    factory, config = AGENTS[name]
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), environment.spec, data)
    learner = factory(config, environment.spec, tracker, seed=0)
    if name in ("reinforce", "a2c"):
        optimizers, observation = learner.optimizers(), environment.reset(WORLD_SEED)
        for _ in range(CHUNKS[name]):
            rollout, observation = collect(learner, environment, observation, 4)
            update(learner, optimizers, rollout)
    else:
        train(learner, environment, CHUNKS[name])
    assert len(learner.working_set._chunk.rows) < 20
    found = mean_return(learner, environment)
    assert found > 0.6
