"""Worlds small enough to simulate many times over."""

import pytest
import torch

from recframe.testing import toy_data
from recframe_plugins.environments.config import PreferenceModelConfig, TopicWorldConfig
from recframe_plugins.environments.preference_model import PreferenceModel
from recframe_plugins.environments.topic_world import TopicWorld

KINDS = {"topic_world": (TopicWorld, TopicWorldConfig), "preference_model": (PreferenceModel, PreferenceModelConfig)}


@pytest.fixture(scope="session")
def toy_world():
    return toy_data()


@pytest.fixture
def make(toy_world):
    """`make("topic_world", num_users=8, boredom_weight=0.0)`: an environment on the toy data, the other keywords being options."""

    def build(kind, *, num_users=16, history_length=6, split="train", data=None, **options):
        factory, config = KINDS[kind]
        return factory(config(**options), data or toy_world, num_users=num_users, history_length=history_length, split=split, device="cpu")

    return build


@pytest.fixture(params=list(KINDS))
def kind(request):
    """Each of the environments in turn."""
    return request.param


@pytest.fixture
def random_slates():
    """`random_slates(environment, steps, seed)`: slates of different items, `[steps, N, K]`."""

    def draw(environment, steps, seed=0):
        spec = environment.spec
        order = torch.rand(steps, spec.num_users, spec.num_items, generator=torch.Generator().manual_seed(seed)).argsort(dim=-1)
        return order[..., : spec.slate_size]

    return draw
