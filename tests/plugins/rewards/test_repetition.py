"""The repetition penalty: only recently shown items are penalised, and more recent ones more."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import PAD
from recframe_plugins.rewards.config import RepetitionConfig
from recframe_plugins.rewards.repetition import Repetition

configs = st.builds(RepetitionConfig, window=st.integers(1, 8), decay=st.floats(0.05, 1.0))


@given(seed=st.integers(0, 1000), config=configs)
def test_penalty_is_the_decay_to_the_power_of_the_age_of_the_latest_repetition(data, random_step, seed, config):
    transition = random_step(seed)
    rewards = Repetition(config)(transition, data.catalog)
    for user, slate in enumerate(transition.slate.tolist()):
        before = transition.observation.history_items[user].tolist()[::-1][: config.window]
        for k, item in enumerate(slate):
            penalty = 1.0 if item in slate[:k] else config.decay ** before.index(item) if item in before else 0.0
            assert float(rewards[user, k]) == pytest.approx(-penalty)
    assert ((rewards >= -1) & (rewards <= 0)).all()


@given(seed=st.integers(0, 1000), config=configs)
def test_only_items_in_the_history_or_higher_in_the_slate_are_penalised(data, random_step, seed, config):
    transition = random_step(seed)
    transition.slate = torch.arange(20, 24).expand(7, -1)
    transition.observation.history_items = transition.observation.history_items.clamp(max=19)
    assert (Repetition(config)(transition, data.catalog) == 0).all()


def test_only_the_lower_of_two_equal_items_in_a_slate_is_penalised(step, data):
    rewards = Repetition(RepetitionConfig(decay=0.5))(step([[4, 5, 4, 4]]), data.catalog)
    assert rewards.tolist() == [[0.0, 0.0, -1.0, -1.0]]


def test_items_outside_the_window_and_padding_are_ignored(step, data):
    histories = [[4, 9, 8], [9, 4, 8], [9, 8, 4], [4, 8, 4], [PAD, PAD, 9]]
    transition = step([[4]] * 5, histories)
    assert Repetition(RepetitionConfig(window=2, decay=0.5))(transition, data.catalog).flatten().tolist() == [0.0, -0.5, -1.0, -1.0, 0.0]
    assert Repetition(RepetitionConfig(window=2))(transition, data.catalog).flatten().tolist() == [0.0, -1.0, -1.0, -1.0, 0.0]
