"""Stable-baselines3 on recframe's environments: the VecEnv interface, and learning."""

import importlib
import sys

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import VecMonitor

from recframe.gym import make_vec
from recframe.gym.stable_baselines import StableBaselinesVecEnv


def test_steps_match_the_vector_environment(toy, same):
    env, plain = StableBaselinesVecEnv(toy(6)), toy(6)
    env.seed(4)
    same(env.reset(), plain.reset(seed=4)[0])
    ended = []
    for turn in range(20):
        actions = np.arange(turn, turn + 6) % 12
        observation, reward, done, infos = env.step(actions)
        expected, rewards, terminated, truncated, told = plain.step(actions)
        same(observation, expected)
        np.testing.assert_array_equal(reward, rewards.astype(np.float32))
        np.testing.assert_array_equal(done, terminated | truncated)
        for user in range(6):
            if not done[user]:
                assert infos[user] == {}
                continue
            same(infos[user]["terminal_observation"], told["final_obs"][user])
            assert infos[user]["TimeLimit.truncated"] is bool(truncated[user])
            ended.append(bool(truncated[user]))
    assert set(ended) == {True, False}


def test_seed_applies_to_one_reset(toy, same):
    env = StableBaselinesVecEnv(toy(40))
    env.seed(4)
    first, second = env.reset(), env.reset()
    env.seed(4)
    same(env.reset(), first)
    assert not np.array_equal(first["profile"], second["profile"])


def test_info_of_a_finished_session_has_the_sum_of_each_reward_term(toy):
    env, plain = StableBaselinesVecEnv(toy(6)), toy(6)
    env.seed(0)
    env.reset()
    plain.reset(seed=0)
    clicks = np.zeros(6)
    for _ in range(20):
        _, _, done, infos = env.step(np.ones(6, np.int64))
        clicks += plain.simulation.step(np.ones(6, np.int64)).infos["reward/click"]
        for user in np.flatnonzero(done):
            assert infos[user]["reward/click"] == clicks[user]
        clicks[done] = 0.0
    env.reset()
    assert not env._totals.any()


def test_vec_monitor_sums_sessions_and_keeps_the_terms(toy):
    env = VecMonitor(StableBaselinesVecEnv(toy(6)), info_keywords=("reward/click", "reward/rating"))
    env.seed(1)
    env.reset()
    found = []
    for _ in range(20):
        found += [info["episode"] for info in env.step(np.ones(6, np.int64))[3] if "episode" in info]
    assert len(found) > 6
    for episode in found:
        assert episode["r"] == pytest.approx(episode["reward/click"] + episode["reward/rating"], rel=1e-5)
        assert 1 <= episode["l"] <= 8


def test_maskable_learners_find_the_masks(toy):
    env = StableBaselinesVecEnv(toy(6, num_excluded=5))
    env.reset()
    assert env.has_attr("action_masks")
    assert not env.has_attr("no_such_thing")
    np.testing.assert_array_equal(np.stack(env.env_method("action_masks")), env.vector_env.action_masks())
    np.testing.assert_array_equal(env.env_method("action_masks", indices=[2, 0])[0], env.vector_env.action_masks()[2])
    assert not env.vector_env.action_masks().all()


def test_users_share_one_environment(toy):
    env = StableBaselinesVecEnv(toy(3))
    assert env.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    env.set_attr("note", "seen")
    assert env.vector_env.note == "seen"
    with pytest.raises(ValueError, match=r"^note cannot be set for some users only: all of them share one vector environment$"):
        env.set_attr("note", "unseen", indices=1)
    with pytest.raises(AttributeError, match=r"^users have no method 'reset' of their own, only 'action_masks'; call it on vector_env$"):
        env.env_method("reset")
    env.close()
    assert env.vector_env.closed


def test_missing_stable_baselines_is_reported_in_one_line(monkeypatch):
    import recframe.gym.stable_baselines as module

    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env", None)
    with pytest.raises(ImportError, match=r"^recframe.gym.stable_baselines needs stable-baselines3: pip install 'recframe\[sb3\]'$"):
        importlib.reload(module)


@pytest.mark.parametrize("shape", [{"slate_size": 2}, {"num_candidates": 4, "num_features": 2, "has_context": True}])
def test_agents_train_on_slates_and_candidates(toy, shape):
    env = StableBaselinesVecEnv(toy(8, **shape))
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=32, n_epochs=1, seed=0, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(128)
    assert any((p != q).any() for p, q in zip(model.policy.parameters(), before, strict=True))
    assert env.action_space.contains(model.predict(env.reset())[0][0])


def test_agents_train_on_continuous_actions(target):
    env = StableBaselinesVecEnv(target(8))
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=32, n_epochs=1, seed=0, device="cpu")
    model.learn(128)
    assert env.action_space.contains(model.predict(env.reset())[0][0])


def test_replay_buffer_stores_the_last_observation_of_a_session(toy):
    env = StableBaselinesVecEnv(toy(4))
    model = DQN("MultiInputPolicy", env, buffer_size=400, learning_starts=400, seed=0, device="cpu")
    model.learn(160)
    buffer = model.replay_buffer
    ended = np.argwhere(buffer.dones[: buffer.pos] > 0)
    assert len(ended) > 4
    for turn, user in ended:
        assert buffer.next_observations["history"][turn, user, -1].any()
        following = turn + 1
        if following < buffer.pos:
            assert not buffer.observations["history"][following, user].any()


# an environment in which tastes matter: without boredom, a user's topics are most of the relevant information
TASTES = [
    "dataset.num_items=20",
    "dataset.num_users=500",
    "dataset.num_topics=8",
    "encoder=tfidf",
    "state_tracker.history_length=3",
    "environment.boredom_weight=0",
    "environment.repeat_penalty=0",
    "environment.max_steps=20",
]


def session_returns(env, choose, seed):
    """The returns of each user's first session."""
    observation, _ = env.reset(seed=seed)
    returns, running = np.zeros(env.num_envs), np.ones(env.num_envs, bool)
    while running.any():
        observation, reward, terminated, truncated, _ = env.step(choose(observation))
        returns += reward * running
        running &= ~(terminated | truncated)
    return returns


def interval(values):
    return values.mean() + 1.96 * values.std(ddof=1) / len(values) ** 0.5 * np.array([-1.0, 1.0])


def trained_and_random(env_steps, seed):
    """95 % intervals of the mean return, on users who do not appear in training."""
    training = StableBaselinesVecEnv(make_vec("topic_world", 64, overrides=TASTES, text_dims=8))
    hyperparameters = {"n_steps": 16, "batch_size": 256, "n_epochs": 4, "learning_rate": 2e-3, "gamma": 0.95, "ent_coef": 0.01}
    model = PPO("MultiInputPolicy", training, **hyperparameters, policy_kwargs={"net_arch": [64]}, seed=seed, device="cpu")
    model.learn(env_steps)
    people = make_vec("topic_world", 256, overrides=TASTES, text_dims=8, split="evaluation")
    generator = np.random.default_rng(seed)
    learned = session_returns(people, lambda observation: model.predict(observation, deterministic=True)[0], seed=1)
    chance = session_returns(people, lambda observation: generator.integers(20, size=256), seed=1)
    return interval(learned), interval(chance)


def test_ppo_learns(small_world):
    learned, chance = trained_and_random(20_000, seed=0)
    assert learned[0] > chance[1]


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(5))
def test_ppo_learns_with_any_seed(small_world, seed):
    learned, chance = trained_and_random(100_000, seed)
    print(f"seed {seed}: PPO {learned.round(2)}, random {chance.round(2)}")
    assert learned[0] > chance[1]
