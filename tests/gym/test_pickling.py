"""Environments and what they are built from can be pickled, as subprocess vector environments of other libraries need."""

import pickle
from functools import partial
from operator import itemgetter

import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.gym import make_env, make_vec

CARTPOLE = ["agent=dqn", "environment.id=CartPole-v1", "reward=[environment]"]
ENVIRONMENTS = {
    "topic_world": [],
    "interest_evolution": ["environment.slate_size=3"],
    "interest_exploration": [],
    "long_term_satisfaction": ["reward=[dwell]"],
    "gymnasium": CARTPOLE,
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_pickled_environment_goes_on_identically_in_mid_session(small_world, same, name):
    env = make_vec(name, 4, overrides=[*small_world, *ENVIRONMENTS[name]])
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(40)]
    for action in actions[:7]:
        env.step(action)
    copy = pickle.loads(pickle.dumps(env))
    for action in actions[7:]:
        same(env.step(action), copy.step(action))
    same(env.reset(seed=5), copy.reset(seed=5))


def test_an_environment_without_cold_items_and_an_environment_before_its_first_session_are_pickled(small_world, same):
    env = make_vec("topic_world", 3, overrides=[*small_world, "cold_items.share=0.2"])
    copy = pickle.loads(pickle.dumps(env))
    same(env.reset(seed=1), copy.reset(seed=1))
    cartpole = make_vec("gymnasium", 3, overrides=CARTPOLE)
    same(pickle.loads(pickle.dumps(cartpole)).reset(seed=1), cartpole.reset(seed=1))


@pytest.mark.parametrize("agent", ["dqn", "ppo", "soft_actor_critic", "td3", "linucb", "q_learning"])
def test_agents_and_rewards_are_pickled(small_world, agent):
    parts = assemble(compose_config([f"agent={agent}", "reward=[click,novelty,diversity]", *small_world]))
    environment = parts.environment(5, "train")
    observation, built = environment.reset(0), parts.agent(environment)
    copy = pickle.loads(pickle.dumps(built))
    for each in (built, copy):
        each.prepare_to_act()
    assert (built.act(observation, explore=True).slate == copy.act(observation, explore=True).slate).all()
    assert pickle.loads(pickle.dumps(parts.rewards)).terms.keys() == {"click", "novelty", "diversity"}


@pytest.mark.slow
def test_environments_run_in_the_processes_of_an_async_vector_environment(small_world, same):
    cfg = compose_config(["environment=topic_world", *small_world])
    # pickled into each process: one environment as it is, and one that is made there
    makers = [partial(itemgetter(0), (make_env(cfg),)), partial(make_env, cfg)]
    there, here = AsyncVectorEnv(makers, context="spawn"), SyncVectorEnv(makers)
    try:
        same(there.reset(seed=3), here.reset(seed=3))
        for step in range(30):
            action = np.array([step, 2 * step])
            same(there.step(action), here.step(action))
    finally:
        there.close()
