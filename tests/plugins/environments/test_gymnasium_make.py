"""Errors on creating Gymnasium environments: one line with the setting and the remedy."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.make import make

NUMBERS = spaces.Box(-1, 1, (3,), np.float32)


class Spaces(gymnasium.Env):
    """An environment with given spaces."""

    def __init__(self, action: spaces.Space = NUMBERS, observation: spaces.Space = NUMBERS) -> None:
        self.action_space, self.observation_space = action, observation


def lacking(**kwargs):
    raise gymnasium.error.DependencyNotInstalled('Box2D is not installed,\n run `pip install "gymnasium[box2d]"`')


@pytest.fixture(autouse=True)
def registered():
    entries = {"recframe-tests/Spaces-v0": Spaces, "recframe-tests/Lacking-v0": lacking}
    for name, entry in entries.items():
        gymnasium.register(name, entry_point=entry)
    yield
    for name in entries:
        del gymnasium.registry[name]


def refusal(name: str, **kwargs) -> str:
    with pytest.raises(ValueError, match="environment") as caught:
        make(GymnasiumConfig(name, kwargs=kwargs))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("CartPol-v1", {}, "did you mean CartPole-v1"),
        ("CartPole", {}, "did you mean CartPole-v1"),
        ("ALE/Pong-v5", {}, "registered by a recframe plugin that imports it"),
        ("some.module:World-v0", {}, "let a recframe plugin import some.module, and use environment.id=World-v0"),
        ("recframe-tests/Lacking-v0", {}, 'Box2D is not installed, run `pip install "gymnasium[box2d]"`'),
        ("CartPole-v1", {"gravty": 1}, "'gravty'"),
        ("FrozenLake-v1", {"map_name": "9x9"}, "KeyError"),
        ("CartPole-v1", {"max_episode_steps": 9}, "set environment.max_steps"),
        ("CartPole-v1", {"id": "Acrobot-v1"}, "set environment.id"),
    ],
)
def test_reason_why_an_environment_cannot_be_created_is_given(name, kwargs, words):
    assert words in refusal(name, **kwargs)


def test_a_module_named_by_a_config_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "gymnasium_surprise.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    refusal("gymnasium_surprise:CartPole-v1")


@pytest.mark.filterwarnings("ignore:.*A Box action space maximum and minimum values are equal")
@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.MultiDiscrete([2, 3]), r"MultiDiscrete([2 3])"),
        (spaces.MultiBinary(3), "MultiBinary(3)"),
        (spaces.Box(0, 5, (2,), np.int64), "a Box of whole numbers (int64)"),
        (spaces.Box(-np.inf, 1, (2,), np.float32), "unbounded or flat"),
        (spaces.Box(1, 1, (2,), np.float32), "unbounded or flat"),
        (spaces.Dict(a=spaces.Discrete(2)), "Dict('a': Discrete(2))"),
    ],
)
def test_unsupported_action_spaces_are_named(space, words):
    message = refusal("recframe-tests/Spaces-v0", action=space)
    assert words in message
    assert "Discrete and bounded Box" in message


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Graph(NUMBERS, None),
        spaces.Dict(a=NUMBERS, b=spaces.Tuple([spaces.Text(3)])),
    ],
    ids=lambda space: type(space).__name__,
)
def test_unsupported_observation_spaces_are_named(space):
    assert f"observes {space}, which is not a fixed-size vector" in refusal("recframe-tests/Spaces-v0", observation=space)


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (spaces.Discrete(4), 4),
        (spaces.Box(0, 255, (2, 3, 3), np.uint8), 18),
        (spaces.Tuple([NUMBERS, spaces.MultiBinary(2), spaces.MultiDiscrete([2, 3])]), 10),
    ],
)
def test_other_observations_are_flattened(space, size):
    assert make(GymnasiumConfig("recframe-tests/Spaces-v0", kwargs={"observation": space})).observation_space.shape == (size,)
