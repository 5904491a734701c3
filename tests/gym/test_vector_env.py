"""Many users as one vector environment: exactly Gymnasium's format, and complete sessions of all users."""

import io

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics


class Replayed(gymnasium.Env):
    """One user of a recorded simulation, replayed as a separate environment."""

    def __init__(self, user, recorder, start, outcomes):
        self.user, self.outcomes = user, iter(outcomes)
        self.observation_space, self.action_space = recorder.single_observation_space, recorder.single_action_space
        self.begin = {name: value[user] for name, value in start.items()}

    def reset(self, *, seed=None, options=None):
        return self.begin, {}

    def step(self, action):
        step, user = next(self.outcomes), self.user
        observation = {name: value[user] for name, value in step.observation.items()}
        if user in step.finished:
            self.begin = observation
            observation = {name: value[step.finished.tolist().index(user)] for name, value in step.final.items()}
        info = {name: value[user] if value.ndim > 1 else float(value[user]) for name, value in step.infos.items()}
        return observation, float(step.reward[user]), bool(step.terminated[user]), bool(step.truncated[user]), info


@pytest.mark.parametrize("shape", [{}, {"slate_size": 2, "num_candidates": 5, "num_features": 2, "has_context": True}])
@pytest.mark.parametrize("num_users", [1, 7])
def test_steps_have_the_format_of_sync_vector_env(toy, same, shape, num_users):
    env, recorder = toy(num_users, text_dims=4, **shape), toy(num_users, text_dims=4, **shape)
    start, _ = recorder.reset(seed=5)
    env.action_space.seed(1)
    actions = [env.action_space.sample() for _ in range(20)]
    outcomes = [recorder.simulation.step(action) for action in actions]
    users = [lambda user=user: Replayed(user, recorder, start, outcomes) for user in range(num_users)]
    reference = SyncVectorEnv(users, autoreset_mode=AutoresetMode.SAME_STEP)
    assert env.metadata["autoreset_mode"] is reference.metadata["autoreset_mode"]
    assert env.observation_space == reference.observation_space
    assert env.action_space == reference.action_space
    same(env.reset(seed=5), reference.reset(seed=5))
    finished = 0
    for action in actions:
        found = env.step(action)
        same(found, reference.step(action))
        assert found[0] in env.observation_space
        finished += (found[2] | found[3]).sum()
    assert finished > 0


def test_last_observation_is_kept_and_the_next_session_is_new(toy, same):
    env, bare = toy(8), toy(8)
    env.reset(seed=2)
    bare.reset(seed=2)
    simulation = bare.simulation
    terminated = truncated = 0
    for turn in range(20):
        actions = np.arange(turn, turn + 8) % 12
        step = simulation.environment.step(torch.from_numpy(actions[:, None]))
        last, following = simulation.arrays(step.next_observation), simulation.arrays(step.observation)
        observation, _, terminations, truncations, infos = env.step(actions)
        same(observation, following)
        done = terminations | truncations
        assert (infos["_final_obs"] == done).all() if done.any() else "final_obs" not in infos
        for user in np.flatnonzero(done):
            same(infos["final_obs"][user], {name: value[user] for name, value in last.items()})
            assert infos["final_obs"][user]["history"][-1].any()
            assert not observation["history"][user].any()
        terminated += terminations.sum()
        truncated += truncations.sum()
    assert terminated > 0
    assert truncated > 0


def test_reward_is_the_sum_of_its_terms(toy):
    env = toy(5, slate_size=2)
    env.reset(seed=0)
    for _ in range(10):
        step = env.simulation.step(env.action_space.sample())
        clicks, ratings = step.infos["signal/click"], step.infos["signal/rating"]
        np.testing.assert_allclose(step.infos["reward/click"], clicks.sum(axis=1))
        np.testing.assert_allclose(step.infos["reward/rating"], 0.1 * ratings.sum(axis=1), rtol=1e-6)
        np.testing.assert_allclose(step.reward, clicks.sum(axis=1) + 0.1 * ratings.sum(axis=1), rtol=1e-6)
        assert step.reward.dtype == np.float64


def played(env, seed, steps=12):
    found = [env.reset(seed=seed)[0]]
    env.action_space.seed(0)
    for _ in range(steps):
        found.append(env.step(env.action_space.sample())[:4])
    return found


def test_seed_determines_the_sessions(toy, same):
    env = toy(4)
    first = played(env, 3)
    same(played(env, 3), first)
    same(played(toy(4), 3), first)
    with pytest.raises(AssertionError):
        same(played(env, 4), first)


def test_reset_without_a_seed_continues_from_the_last_seed(toy, same):
    env, again = toy(40), toy(40)
    first, _ = env.reset(seed=3)
    second, _ = env.reset()
    again.reset(seed=3)
    same(again.reset()[0], second)
    assert not np.array_equal(first["profile"], second["profile"])


def test_state_saved_in_mid_session_continues_identically(toy, same):
    env, other = toy(5, num_candidates=4), toy(5, num_candidates=4)
    env.reset(seed=3)
    for _ in range(3):
        env.step(np.zeros(5, np.int64))
    file = io.BytesIO()
    torch.save(env.state_dict(), file)
    file.seek(0)
    observation = other.load_state_dict(torch.load(file, weights_only=True))
    np.testing.assert_array_equal(other.action_masks(), env.action_masks())
    following = env.step(np.ones(5, np.int64))
    same(observation["profile"].shape, following[0]["profile"].shape)
    same(other.step(np.ones(5, np.int64)), following)
    for _ in range(12):
        same(other.step(np.zeros(5, np.int64)), env.step(np.zeros(5, np.int64)))
    same(other.reset()[0], env.reset()[0])


def test_loading_a_state_returns_its_last_observation(toy, same):
    env, other = toy(5), toy(5)
    env.reset(seed=3)
    shown = env.step(np.zeros(5, np.int64))[0]
    same(other.load_state_dict(env.state_dict()), shown)


def test_batched_users_earn_the_same_as_single_users(toy, toy_single):
    """Compares the mean return of random actions by Welch's statistic, with fixed seeds."""
    together, alone = toy(400), toy_single()
    together.action_space.seed(0)
    alone.action_space.seed(0)
    together.reset(seed=0)
    many, running = np.zeros(400), np.ones(400, bool)
    while running.any():
        _, reward, terminated, truncated, _ = together.step(together.action_space.sample())
        many += reward * running
        running &= ~(terminated | truncated)
    few = []
    for session in range(200):
        alone.reset(seed=0 if session == 0 else None)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = alone.step(alone.action_space.sample())
            total += reward
            over = terminated or truncated
        few.append(total)
    difference = many.mean() - np.mean(few)
    assert abs(difference) < 3 * (many.var() / 400 + np.var(few) / 200) ** 0.5


def test_gymnasium_wrappers_recognise_the_end_of_a_session(toy):
    env, bare = RecordEpisodeStatistics(toy(6)), toy(6)
    env.reset(seed=1)
    bare.reset(seed=1)
    returns, lengths, ended = np.zeros(6), np.zeros(6, int), 0
    for _ in range(15):
        reward, infos = env.step(np.ones(6, np.int64))[1::3]
        step = bare.simulation.step(np.ones(6, np.int64))
        np.testing.assert_array_equal(reward, step.reward)
        returns, lengths = returns + step.reward, lengths + 1
        for user in step.finished:
            assert infos["episode"]["r"][user] == pytest.approx(returns[user])
            assert infos["episode"]["l"][user] == lengths[user]
            returns[user], lengths[user], ended = 0.0, 0, ended + 1
    assert ended > 6


def test_returned_arrays_can_be_changed_by_the_receiver(toy, same):
    env, untouched = toy(4, num_candidates=5, num_features=2), toy(4, num_candidates=5, num_features=2)
    observation, _ = env.reset(seed=0)
    untouched.reset(seed=0)
    for _ in range(10):
        actions = np.ones(4, np.int64)
        for value in observation.values():
            value[:] = 7.0
        observation, *_, infos = env.step(actions)
        actions[:] = 0
        for name in ("slate", "signal/click", "signal/rating"):
            if name in infos:
                infos[name][:] = 3
        expected = untouched.step(np.ones(4, np.int64))
        same(observation, expected[0])


def test_step_before_the_first_reset_is_refused(toy):
    for act in (lambda env: env.step(np.zeros(6, np.int64)), lambda env: env.action_masks(), lambda env: env.state_dict()):
        with pytest.raises(ResetNeeded, match=r"^there is no session yet: call reset\(\) first$"):
            act(toy())


def test_reset_has_no_options(toy):
    with pytest.raises(ValueError, match=r"^reset takes no options, not 'reset_mask'$"):
        toy().reset(options={"reset_mask": np.ones(6, bool)})
