"""Batches of a log's sequences: windows, padding, passes in random order, and exact continuation."""

from dataclasses import replace

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, Interactions, Sequences
from recframe.logs import LogSettings, SequenceSampler, build_log


def log_of(lengths, rewards=True):
    """A log in which item and second of the r-th row are r, rated r / 2."""
    users = [user for user, length in enumerate(lengths) for _ in range(length)]
    rows = list(range(len(users)))
    frame = pl.DataFrame({"user": users, "item": rows, "timestamp": rows, "rating": [row / 2 for row in rows]})
    frame = frame.with_columns(pl.col("user").cast(pl.Int64))
    log = build_log(Interactions(frame, ("rating",)), len(lengths), max(len(rows), 1), LogSettings())
    if not rewards:
        return log
    return replace(log, rewards=torch.arange(len(rows)).float() + 1)


def sampler_of(lengths, batch_size=2, length=3, seed=0, **options):
    return SequenceSampler(log_of(lengths), Sequences(batch_size, length), torch.Generator().manual_seed(seed), **options)


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=7).filter(lambda lengths: max(lengths) > 1),
    batch_size=st.integers(1, 5),
    length=st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_a_pass_holds_one_window_of_each_sequence_with_a_next_item(lengths, batch_size, length, seed):
    sampler = sampler_of(lengths, batch_size, length, seed)
    starts = sampler.log.offsets.tolist()
    met = []
    for _ in range(sampler.batches_per_pass):
        batch = sampler.draw()
        assert len(batch) <= batch_size
        for row in range(len(batch)):
            user, items = int(batch.user[row]), batch.item[row].tolist()
            met.append(user)
            known = [item for item in items if item != PAD]
            assert items == [PAD] * (len(items) - len(known)) + known
            assert known == list(range(known[0], known[0] + len(known)))  # consecutive rows of the log
            assert len(known) == min(lengths[user], length + 1)
            assert starts[user] <= known[0]
            assert known[-1] < starts[user + 1]
            assert bool(batch.terminated[row]) == (known[-1] == starts[user + 1] - 1)
            assert batch.timestamps[row].tolist() == [max(item, 0) for item in items]
            assert batch.reward[row].tolist() == [item + 1.0 for item in items]
            assert batch.feedback[row].tolist() == [[0.0, 0.0] if item == PAD else [1.0, item / 2] for item in items]
    assert sorted(met) == [user for user, count in enumerate(lengths) if count > 1]


def test_a_window_of_a_long_sequence_starts_at_every_place_equally_often():
    sampler = sampler_of([10], batch_size=1, length=3)
    first = torch.tensor([int(sampler.draw().item[0, 0]) for _ in range(2_100)]).bincount()
    assert len(first) == 7
    assert (first - 300).abs().max() < 75  # 4.7 standard deviations


def test_another_pass_has_another_order():
    sampler = sampler_of([2] * 20, batch_size=20)
    first, second = sampler.draw().user.tolist(), sampler.draw().user.tolist()
    assert first != second
    assert sorted(first) == sorted(second)
    assert sampler_of([2] * 20, batch_size=20).draw().user.tolist() == first


def test_feedback_has_the_signals_asked_for_and_no_reward_is_0():
    sampler = SequenceSampler(log_of([3], rewards=False), Sequences(1, 3), torch.Generator(), ("rating", "dwell"))
    batch = sampler.draw()
    assert batch.feedback[0].tolist() == [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    assert not batch.reward.any()


def test_a_loaded_sampler_continues_exactly():
    sampler, other = sampler_of([5, 2, 7, 3, 9]), sampler_of([5, 2, 7, 3, 9], seed=1)
    sampler.draw()
    other.load_state_dict(sampler.state_dict())
    for _ in range(7):
        assert torch.equal(sampler.draw().item, other.draw().item)


def test_a_log_without_any_next_item_is_refused():
    with pytest.raises(ValueError, match="no sequence of the log has two interactions"):
        sampler_of([1, 1])
