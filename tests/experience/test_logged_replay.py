"""Replay of a log: the same transitions as a replay memory that the log was written into, drawn in the same way."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.experience import LoggedReplay, ReplayMemory, RewardSum, logged_rewards, with_rewards
from recframe.interfaces import PAD, Catalog, Interactions, Log
from recframe.logs import LoggedTransitions, LogSettings, build_log
from recframe.testing import toy_data
from recframe_plugins.rewards.config import RatingConfig, RepetitionConfig
from recframe_plugins.rewards.rating import Rating
from recframe_plugins.rewards.repetition import Repetition

DATA = toy_data()
SIGNALS = ("click", "rating")
H = 3


def random_log(rows: int, users: int, seed: int, rewards: bool = True) -> Log:
    """A log of few items, so that they repeat."""
    draws = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user": draws.integers(users, size=rows),
            "item": draws.integers(4, size=rows),
            "timestamp": draws.integers(100, size=rows),
            "rating": draws.integers(1, 6, size=rows).astype(np.float64),
        }
    )
    log = build_log(Interactions(frame, ("rating",)), users, 4, LogSettings())
    return replace(log, rewards=torch.from_numpy(draws.standard_normal(rows)).float()) if rewards else log


def filled_memory(log: Log, **options: float) -> ReplayMemory:
    """A replay memory that the log's interactions are added to one by one, as those of one user whose sessions follow each other."""
    memory, steps = ReplayMemory(len(log), seed=7, device="cpu", **options), LoggedTransitions(log, H, SIGNALS)
    for row in range(len(log)):
        memory.add(steps.at(torch.tensor([row])))
    return memory


def assert_equal(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Every tensor of the two transitions is the same."""
    flat = [transition.to_tensordict().flatten_keys(".") for transition in (ours, theirs)]
    assert flat[0].keys() == flat[1].keys()
    for name in flat[0].keys():  # noqa: SIM118  # a TensorDict iterates over rows
        assert (flat[0][name] is None) == (flat[1][name] is None), name
        assert flat[0][name] is None or torch.equal(flat[0][name], flat[1][name]), name


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 40),
    users=st.integers(1, 6),
    n_step=st.integers(1, 5),
    gamma=st.sampled_from([0.0, 0.9, 1.0]),
    alpha=st.sampled_from([0.0, 0.6]),
    seed=st.integers(0, 99),
)
def test_samples_equal_those_of_a_replay_memory_that_holds_the_log(rows, users, n_step, gamma, alpha, seed):
    log = random_log(rows, users, seed)
    options = {"n_step": n_step, "gamma": gamma, "priority_exponent": alpha}
    memory, replay = filled_memory(log, **options), LoggedReplay(log, H, SIGNALS, 7, **options)
    for _ in range(3):
        held, logged = memory.sample(32), replay.sample(32)
        assert_equal(logged, held)
        if alpha:
            for one, batch in ((memory, held), (replay, logged)):
                one.set_priorities(batch.reward.abs())


def test_joined_steps_end_with_their_sequence():
    log = replace(random_log(30, 4, seed=1), rewards=torch.ones(30))
    batch = LoggedReplay(log, H, None, 0, n_step=3, gamma=0.5).sample(500)
    # 1 + 1/2 + 1/4, or less where the sequence ends before
    lengths = 1 - torch.log2(2 - batch.reward).round().long()
    assert set(lengths.tolist()) == {1, 2, 3}
    assert torch.allclose(batch.discount, 0.5 ** lengths.float())
    assert batch.terminated[lengths < 3].all()
    assert not batch.truncated.any()


def test_all_rows_are_drawn_alike():
    log = random_log(20, 3, seed=0)
    log = replace(log, rewards=torch.arange(20.0))
    counts = torch.bincount(LoggedReplay(log, H, None, 0).sample(20_000).reward.long(), minlength=20)
    # four standard deviations of a count around 1,000
    assert (counts - 1_000).abs().max() < 4 * (1_000 * 0.95) ** 0.5


def test_rows_of_large_priority_are_drawn_more_often_and_weigh_less():
    log = replace(random_log(10, 2, seed=0), rewards=torch.arange(10.0))
    replay = LoggedReplay(log, H, None, 0, priority_exponent=1.0, importance_exponent=1.0)
    first = replay.sample(10)
    assert first.reward.tolist() == list(range(10))  # one of each of ten equal shares
    replay.set_priorities(torch.tensor([9.0] + [1.0] * 9))
    drawn = replay.sample(1_000)
    assert int((drawn.reward == 0).sum()) == pytest.approx(500, abs=2)
    assert drawn.weight[drawn.reward == 0].unique().tolist() == pytest.approx([1 / 9])


def test_the_importance_exponent_rises_with_the_transitions_drawn():
    replay = LoggedReplay(
        random_log(10, 2, seed=0), H, None, 0, priority_exponent=1.0, importance_exponent=0.4, importance_anneal_steps=100
    )
    betas = []
    for _ in range(3):
        betas.append(replay.importance_exponent)
        replay.sample(50)
    assert betas == pytest.approx([0.4, 0.7, 1.0])
    assert replay.importance_exponent == 1.0


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_a_restored_replay_continues_identically(alpha):
    log = random_log(50, 5, seed=0)
    options = {"n_step": 2, "gamma": 0.9, "priority_exponent": alpha, "importance_anneal_steps": 200}
    replay, loaded = LoggedReplay(log, H, None, 0, **options), LoggedReplay(log, H, None, 5, **options)
    batch = replay.sample(16)
    if alpha:
        replay.set_priorities(batch.reward.abs())
    file = io.BytesIO()
    torch.save(replay.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert_equal(replay.sample(16), loaded.sample(16))


def test_the_state_of_another_log_a_log_without_rewards_and_priorities_too_early_are_refused():
    state = LoggedReplay(random_log(50, 5, seed=0), H, None, 0).state_dict()
    with pytest.raises(ValueError, match=r"a log of 50 interactions; this one has 40"):
        LoggedReplay(random_log(40, 5, seed=0), H, None, 0).load_state_dict(state)
    with pytest.raises(ValueError, match="without rewards"):
        LoggedReplay(random_log(40, 5, seed=0, rewards=False), H, None, 0)
    with pytest.raises(ValueError, match="only after"):
        LoggedReplay(random_log(40, 5, seed=0), H, None, 0).set_priorities(torch.ones(3))


@pytest.mark.parametrize("places", [1, 10, 10_000])
def test_rewards_are_those_of_each_interaction_after_its_history(monkeypatch, places):
    monkeypatch.setattr(logged_rewards, "MAX_PLACES", places)
    log = random_log(60, 5, seed=0, rewards=False)
    window, decay = 2, 0.5
    terms = {"rating": (Rating(RatingConfig()), 1.0), "repetition": (Repetition(RepetitionConfig(window=window, decay=decay)), 2.0)}
    rated = with_rewards(log, RewardSum(terms, DATA.catalog, frozenset()), H, SIGNALS)
    items, users = log.items.tolist(), log.users.tolist()
    for row, reward in enumerate(rated.rewards.tolist()):
        before = [items[at] for at in range(row) if users[at] == users[row]][-window:][::-1]
        penalty = max((decay**age for age, item in enumerate(before) if item == items[row]), default=0.0)
        assert reward == pytest.approx(float(log.feedback[row, 1]) - 2 * penalty)
    assert log.rewards is None


def test_histories_of_the_terms_have_the_length_and_signals_of_the_run():
    seen = []

    class Looks(Rating):
        def __call__(self, transition, catalog: Catalog):
            seen.append((transition.observation.history_items, transition.observation.history_feedback.shape))
            return transition.response.signals["dwell"]

    log = random_log(5, 1, seed=0, rewards=False)
    rated = with_rewards(
        log, RewardSum({"looks": (Looks(RatingConfig()), 1.0)}, DATA.catalog, frozenset()), 2, ("dwell", "click", "rating")
    )
    ((items, shape),) = seen
    first = log.items.tolist()
    assert items.tolist() == [[PAD, PAD], [PAD, first[0]], *([first[at - 2], first[at - 1]] for at in (2, 3, 4))]
    assert shape == (5, 2, 3)
    assert rated.rewards.tolist() == [0.0] * 5


def test_itemwise_terms_are_computed_without_histories_and_are_the_same():
    log = random_log(60, 5, seed=0, rewards=False)
    terms = {"rating": (Rating(RatingConfig(centre=3.0)), 2.0)}
    short, long = (with_rewards(log, RewardSum(terms, DATA.catalog, names), 50) for names in (frozenset({"rating"}), frozenset()))
    assert torch.equal(short.rewards, long.rewards)
    assert short.rewards.tolist() == [2 * (rating - 3) for rating in log.feedback[:, 1].tolist()]
