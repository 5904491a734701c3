"""Toy environments for the Gymnasium classes, and a small named environment for tests that start from a config."""

from typing import Any

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from recframe.experience import RewardSum
from recframe.gym import RecommendationEnv, RecommendationVectorEnv
from recframe.interfaces import PAD, Environment, EnvironmentSpec, Observation, Response, Reward, Step
from recframe.testing import ToyEnvironment, toy_data, toy_spec

DATA = toy_data(num_items=12)


class Signal(Reward):
    """A signal of the response as a reward."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, transition, catalog):
        return transition.response.signals[self.name]


class Target(Environment):
    """Continuous actions: the reward is minus the distance to the features; a session lasts three steps."""

    def __init__(self, num_users: int) -> None:
        self.spec = EnvironmentSpec(
            num_users, 1, 2, 1, ("reward",), num_features=2, actions="continuous", action_low=(-1.0, -2.0), action_high=(1.0, 2.0)
        )
        self.generator = torch.Generator()

    def reset(self, seed):
        self.generator.manual_seed(seed)
        self.turn = 0
        return self._observation()

    def _observation(self):
        users = self.spec.num_users
        self.target = torch.rand(users, 2, generator=self.generator)
        return Observation(
            user=torch.zeros(users, dtype=torch.int64),
            history_items=torch.full((users, 2), PAD),
            history_feedback=torch.zeros(users, 2, 1),
            features=self.target,
            batch_size=[users],
        )

    def step(self, slate):
        users = self.spec.num_users
        distance = (slate - self.target).norm(dim=1, keepdim=True)
        self.turn += 1
        over = torch.full((users,), self.turn % 3 == 0)
        response = Response(signals=TensorDict({"reward": -distance}, batch_size=[users]), leave=~over & over, batch_size=[users])
        observation = self._observation()
        return Step(response, observation, observation, ~over & over, over)

    def state_dict(self):
        return {"generator": self.generator.get_state(), "turn": self.turn}

    def load_state_dict(self, state):
        raise NotImplementedError


@pytest.fixture
def data():
    return DATA


@pytest.fixture
def toy():
    """`toy(num_users=6, slate_size=2, num_candidates=4)`: toy users; the reward is the clicks plus a tenth of the ratings."""

    def build(num_users: int = 6, text_dims: int | None = None, **shape: Any) -> RecommendationVectorEnv:
        return RecommendationVectorEnv(ToyEnvironment(toy_spec(DATA, num_users=num_users, **shape), DATA), rewards(), DATA, text_dims)

    return build


@pytest.fixture
def toy_single():
    """The same for one user."""

    def build(text_dims: int | None = None, **shape: Any) -> RecommendationEnv:
        return RecommendationEnv(ToyEnvironment(toy_spec(DATA, num_users=1, **shape), DATA), rewards(), DATA, text_dims)

    return build


@pytest.fixture
def target():
    """Users with continuous actions."""

    def build(num_users: int = 4) -> RecommendationVectorEnv:
        return RecommendationVectorEnv(Target(num_users), RewardSum({"reward": (Signal("reward"), 1.0)}, DATA.catalog, frozenset()), DATA)

    return build


def rewards() -> RewardSum:
    return RewardSum({"click": (Signal("click"), 1.0), "rating": (Signal("rating"), 0.1)}, DATA.catalog, frozenset())


@pytest.fixture
def small_world(tmp_path_factory, monkeypatch):
    """Overrides that make the default config of a named environment fast."""
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path_factory.getbasetemp() / "gym-cache"))
    return ["dataset.num_items=60", "dataset.num_users=50", "encoder=tfidf", "state_tracker.history_length=5"]


@pytest.fixture
def same():
    """`same(a, b)`: assert that nested dicts, sequences and arrays are equal, types and shapes included."""

    def check(found, expected, where="") -> None:
        assert type(found) is type(expected), where
        if isinstance(expected, dict):
            assert found.keys() == expected.keys(), where
            for key in expected:
                check(found[key], expected[key], f"{where}.{key}")
        elif isinstance(expected, (tuple, list)) or (isinstance(expected, np.ndarray) and expected.dtype == object):
            for index, (one, other) in enumerate(zip(found, expected, strict=True)):
                check(one, other, f"{where}[{index}]")
        elif isinstance(expected, np.ndarray):
            assert found.dtype == expected.dtype, where
            np.testing.assert_array_equal(found, expected, err_msg=where)
        else:
            assert found == expected, where

    return check
