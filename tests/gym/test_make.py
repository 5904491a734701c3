"""Environments from a name or a config, built as in a run; every mistake is reported in one line."""

import numpy as np
import pytest

from recframe.config import ConfigError, compose_config
from recframe.gym import make_env, make_vec


def test_name_selects_the_default_config_with_that_environment(small_world):
    env = make_vec("topic_world", 5, overrides=[*small_world, "environment.slate_size=2", "reward=[click,rating]"], text_dims=6)
    spec = env.simulation.environment.spec
    assert (spec.num_users, spec.slate_size, spec.history_length, spec.num_items) == (5, 2, 5, 60)
    assert env.simulation.term_names == ("click", "rating")
    assert env.single_observation_space["history"].shape == (5, 6 + len(spec.signals))
    assert env.single_observation_space["profile"].shape == (6,)


def test_config_is_used_unchanged_and_sets_the_number_of_users(small_world, same):
    cfg = compose_config(["environment=topic_world", "environment.num_users=7", *small_world])
    env, named = make_vec(cfg), make_vec("topic_world", 7, overrides=small_world)
    assert env.num_envs == 7
    same(env.reset(seed=0), named.reset(seed=0))
    same(env.step(np.arange(7)), named.step(np.arange(7)))
    assert make_env(cfg).simulation.environment.spec.num_users == 1


def test_evaluation_users_never_appear_in_training(small_world):
    met = {
        split: {tuple(profile) for profile in make_vec("topic_world", 400, overrides=small_world, split=split).reset(seed=0)[0]["profile"]}
        for split in ("train", "evaluation")
    }
    assert len(met["evaluation"]) == 10
    assert len(met["train"]) == 40
    assert not met["train"] & met["evaluation"]


def test_shuffled_texts_are_observed(small_world):
    plain = make_vec("topic_world", 50, overrides=small_world, text_dims=None)
    shuffled = make_vec("topic_world", 50, overrides=[*small_world, "embeddings.shuffle=true"], text_dims=None)
    plain.reset(seed=0)
    shuffled.reset(seed=0)
    for actions in (np.arange(50), np.arange(50)[::-1]):
        honest, control = plain.step(actions), shuffled.step(actions)
        np.testing.assert_array_equal(honest[1], control[1])
    assert not np.array_equal(honest[0]["history"], control[0]["history"])


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("topc_world",), {}, "environment=topc_world: environment has no choice 'topc_world'. Did you mean 'topic_world'?"),
        (("topic_world",), {"overrides": ["environment.slatesize=2"]}, "environment.slatesize: environment has no 'slatesize'"),
        (
            ("topic_world",),
            {"overrides": ["agent=dqn", "environment.slate_size=2"]},
            "environment.slate_size=2: agent=dqn cannot show",
        ),
        (("topic_world", 0), {}, "num_users must be 1 or more, not 0"),
        (("topic_world", 2), {"split": "test"}, "split is 'train' or 'evaluation', not 'test'"),
        (
            ("gymnasium", 2),
            {"overrides": ["environment.id=Pendulum-v1", "reward=[environment,diversity]"]},
            "reward=diversity needs actions that are item numbers, but those of environment=gymnasium are actions that are real vectors",
        ),
        (("topic_world", 2), {"text_dims": -3}, "text_dims is the number of dims kept of text vectors, 0 or more (None: all), not -3"),
    ],
)
def test_mistakes_are_reported_in_one_line(small_world, arguments, settings, message):
    settings = {**settings, "overrides": [*small_world, *settings.get("overrides", [])]}
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is looked at below
        make_vec(*arguments, **settings)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_overrides_are_only_allowed_with_a_name(small_world):
    cfg = compose_config(["environment=topic_world", *small_world])
    with pytest.raises(ConfigError, match=r"^overrides are only allowed with an environment's name; put seed=3 into the config instead$"):
        make_vec(cfg, overrides=["seed=3"])
