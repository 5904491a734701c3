"""One user as a Gymnasium environment: Gymnasium's checker passes, and episodes are sessions."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_stable_baselines

from recframe.gym import ENVIRONMENT_ID, RecommendationEnv, RecommendationVectorEnv, make_env

SHAPES = [[], ["environment.slate_size=3"], ["environment.num_candidates=8", "environment.slate_size=2"]]
TOY_SHAPES = [{"num_excluded": 5}, {"num_candidates": 4, "num_features": 2, "has_context": True}]


def assert_content(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # no render mode
        warnings.filterwarnings("ignore", message=".*Not able to test alternative render modes")
        check_env(env)


@pytest.mark.parametrize("shape", SHAPES)
def test_gymnasium_checker_passes(small_world, shape):
    assert_content(make_env("topic_world", overrides=[*small_world, *shape], text_dims=8))


@pytest.mark.parametrize("shape", TOY_SHAPES)
def test_gymnasium_checker_passes_with_excluded_items_and_candidates(toy_single, shape):
    assert_content(toy_single(**shape))


def test_stable_baselines_checker_passes(toy_single):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # the warning advises to flatten histories, which the policies of stable-baselines3 do
        warnings.filterwarnings("ignore", message=".*unconventional shape")
        check_env_for_stable_baselines(toy_single(slate_size=2))
        check_env_for_stable_baselines(toy_single(num_candidates=4))


def test_session_ends_with_its_last_observation_and_reset_starts_the_next(toy_single, same):
    env, bare = toy_single(), toy_single()
    env.reset(seed=0)
    bare.reset(seed=0)
    over = False
    while not over:
        observation, reward, terminated, truncated, info = env.step(3)
        step = bare.simulation.step([3])
        over = terminated or truncated
        assert (reward, terminated, truncated) == (step.reward[0], step.terminated[0], step.truncated[0])
        assert [type(value) for value in (reward, terminated, truncated)] == [float, bool, bool]
        assert info["reward/click"] == step.infos["reward/click"][0]
        same(info["slate"], np.array([3]))
    same(observation, {name: value[0] for name, value in step.final.items()})
    assert observation["history"][-1].any()
    for act in (lambda: env.step(3), env.action_masks, env.state_dict):
        with pytest.raises(ResetNeeded, match=r"^the session has ended: call reset\(\) to start the next$"):
            act()
    fresh, _ = env.reset()
    assert not fresh["history"].any()
    env.step(3)


def test_state_saved_in_mid_session_continues_identically(toy_single, same):
    env, other = toy_single(num_candidates=4), toy_single(num_candidates=4)
    shown, _ = env.reset(seed=3)
    same(other.load_state_dict(env.state_dict()), shown)
    np.testing.assert_array_equal(other.action_masks(), env.action_masks())
    over = False
    while not over:
        found = env.step(1)
        same(other.step(1), found)
        over = found[2] or found[3]
    same(other.reset(), env.reset())


def test_masks_are_those_of_the_user(toy_single):
    env = toy_single(num_excluded=5, slate_size=2)
    env.reset(seed=0)
    for _ in range(3):
        assert env.action_masks().shape == (24,)
        np.testing.assert_array_equal(env.action_masks(), env.simulation.action_masks()[0])
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset()


def test_environment_with_several_users_is_refused(toy, data):
    two = toy(num_users=2).simulation
    with pytest.raises(ValueError, match=r"^a gymnasium.Env is one user, not 2; RecommendationVectorEnv is for many$"):
        RecommendationEnv(two.environment, two.rewards, data)


def test_gymnasium_creates_both_forms_from_the_registered_id(small_world):
    settings = {"cfg_or_name": "topic_world", "overrides": small_world, "text_dims": 4}
    one = gymnasium.make(ENVIRONMENT_ID, **settings)
    many = gymnasium.make_vec(ENVIRONMENT_ID, num_envs=3, **settings)
    assert isinstance(one.unwrapped, RecommendationEnv)
    assert_content(one.unwrapped)
    assert isinstance(many, RecommendationVectorEnv)
    assert many.num_envs == 3
    assert many.single_observation_space == one.observation_space
