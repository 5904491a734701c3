"""Prioritized replay: rows are drawn in proportion to priorities, weighted by importance, and updated after learning."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.experience import ReplayMemory, batch_source_for
from recframe.experience.priorities import SMALLEST, Priorities
from recframe.interfaces import Replay
from recframe.testing import toy_data, toy_spec, toy_transition

DATA = toy_data()
SPEC = toy_spec(DATA)
BETA = 0.4


def priorities_of(values, exponent=1.0):
    priorities = Priorities(len(values), exponent, "cpu")
    priorities.update(torch.arange(len(values)), torch.as_tensor(values, dtype=torch.float32))
    return priorities


def numbered(first: int, count: int):
    """`count` transitions whose rewards are `first`, `first + 1`, and so on."""
    transition = toy_transition(SPEC, DATA, torch.Generator().manual_seed(first), users=count)
    transition.reward = torch.arange(first, first + count, dtype=torch.float32)
    return transition


def prioritized(capacity=10, **options):
    return ReplayMemory(capacity, seed=0, device="cpu", **{"priority_exponent": 1.0, **options})


# a batch takes one row from each of equally large shares of the total, so a row's count is off by less than one at either end
@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=40),
    repeats=st.sampled_from([1, 30]),
    exponent=st.sampled_from([0.3, 1.0]),
    seed=st.integers(0, 9),
)
def test_rows_are_drawn_in_proportion_to_their_priorities(sizes, repeats, exponent, seed):
    values, count = torch.tensor(sizes).repeat(repeats), 5_000
    rows, _ = priorities_of(values, exponent).draw(count, len(values), BETA, torch.Generator().manual_seed(seed))
    scaled = (values.double() + SMALLEST) ** exponent
    expected = count * scaled / scaled.sum()
    counts = torch.bincount(rows, minlength=len(values))
    assert ((counts - expected).abs() < 2.01).all()


def test_rows_are_drawn_at_random_within_their_share():
    priorities, generator = priorities_of([1.0] * 1_000), torch.Generator().manual_seed(0)
    drawn = torch.stack([priorities.draw(2, 1_000, BETA, generator).rows for _ in range(2_000)])
    assert (drawn[:, 0] < 500).all()
    assert (drawn[:, 1] >= 500).all()
    assert torch.bincount(drawn.flatten() // 100, minlength=10).min() > 300


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_importance_weights_follow_the_paper(beta):
    values = torch.tensor([1.0, 2.0, 3.0, 4.0])
    rows, weights = priorities_of(values, exponent=0.5).draw(64, 4, beta, torch.Generator())
    probability = (values + SMALLEST) ** 0.5 / ((values + SMALLEST) ** 0.5).sum()
    expected = (4 * probability[rows]) ** -beta
    torch.testing.assert_close(weights, expected / expected.max())


def test_with_beta_one_the_weighted_mean_is_that_of_uniform_sampling():
    values = torch.rand(200, generator=torch.Generator().manual_seed(0)) + 0.1
    worth = torch.randn(200, generator=torch.Generator().manual_seed(1))
    rows, weights = priorities_of(values).draw(20_000, 200, 1.0, torch.Generator().manual_seed(2))
    assert float((weights * worth[rows]).sum() / weights.sum()) == pytest.approx(float(worth.mean()), abs=0.01)


@pytest.mark.parametrize(("steps", "betas"), [(10, [0.64, 0.7, 0.88, 1.0, 1.0]), (None, [0.4] * 5)])
def test_beta_rises_linearly_to_one_while_transitions_are_collected(steps, betas):
    plan = Replay(4, 64, 1, 1, priority_exponent=1.0, importance_exponent=0.4, importance_anneal_steps=steps)
    source, added = batch_source_for(plan, seed=0, device="cpu"), 0
    # after 4, 5, 8, 10 and 14 of 10 steps from 0.4 to 1
    for count, beta in zip([4, 1, 3, 2, 4], betas, strict=True):
        source.add(numbered(added, count))
        added += count
        (batch,) = source.batches()
        source.learned(1 + batch.reward % 4)
        (batch,) = source.batches()
        assert len(batch.reward.unique()) == 4
        # the priorities of the four transitions held are 1, 2, 3 and 4
        expected = (4 * (1 + batch.reward % 4) / 10) ** -beta
        torch.testing.assert_close(batch.weight, expected / expected.max(), rtol=1e-4, atol=1e-5)


def test_a_row_drawn_twice_gets_the_larger_priority():
    priorities = priorities_of([1.0, 1.0, 1.0])
    priorities.update(torch.tensor([2, 0, 2, 2]), torch.tensor([5.0, 1.0, 9.0, 7.0]))
    counts = torch.bincount(priorities.draw(1_100, 3, BETA, torch.Generator()).rows)
    assert ((counts - torch.tensor([100, 100, 900])).abs() <= 2).all()


def test_only_written_rows_are_drawn():
    memory = prioritized(capacity=1_000)
    memory.add(numbered(0, 7))
    assert set(memory.sample(500).reward.tolist()) == set(range(7))


def test_new_transitions_get_the_largest_priority_so_far():
    memory = prioritized(capacity=8)
    memory.add(numbered(0, 4))
    memory.sample(4)
    memory.set_priorities(torch.tensor([1.0, 1.0, 1.0, 6.0]))
    memory.sample(4)
    memory.set_priorities(torch.full((4,), 2.0))
    memory.add(numbered(4, 2))
    memory.add(numbered(6, 4))  # overwrites the oldest
    probability = torch.bincount(memory.sample(6_000).reward.long(), minlength=10) / 6_000
    held = probability[2:]
    assert (held[2:] / held[2:].mean() - 1).abs().max() < 0.01
    assert (held[:2] < held[2:].mean()).all()


def test_transitions_with_priority_zero_are_hardly_drawn():
    source = batch_source_for(
        Replay(capacity=50, batch_size=40, learning_starts=20, updates_per_chunk=2, priority_exponent=1.0), seed=0, device="cpu"
    )
    source.add(numbered(0, 20))
    batches = source.batches()
    first = next(batches)
    torch.testing.assert_close(first.weight, torch.ones(40))
    source.learned((first.reward == 7).float())
    second = next(batches)
    assert (second.reward == 7).all()


def test_uniform_samples_have_no_weights_and_take_no_priorities():
    memory = ReplayMemory(10, seed=0, device="cpu")
    memory.add(numbered(0, 4))
    assert memory.sample(5).weight is None
    with pytest.raises(ValueError, match="only after a prioritized replay memory was sampled"):
        memory.set_priorities(torch.ones(5))


def test_prioritized_replay_refuses_an_agent_without_priorities():
    plan = Replay(capacity=50, batch_size=4, learning_starts=4, updates_per_chunk=1)
    batch_source_for(plan, seed=0, device="cpu").learned(None)
    asked = Replay(capacity=50, batch_size=4, learning_starts=4, updates_per_chunk=1, priority_exponent=0.5)
    with pytest.raises(ValueError, match=r"asks for prioritized replay, but its priorities\(\) is None"):
        batch_source_for(asked, seed=0, device="cpu").learned(None)


@pytest.mark.parametrize("filled", [4, 16])
def test_a_restored_memory_continues_identically(filled):
    memory, loaded = (prioritized(importance_exponent=0.2, importance_anneal_steps=30) for _ in range(2))
    for first in range(0, filled, 4):
        memory.add(numbered(first, 4))
        memory.sample(6)
        memory.set_priorities(torch.arange(1.0, 7.0))
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for one in (memory, loaded):
        one.add(numbered(1_000, 3))
    assert loaded.importance_exponent == memory.importance_exponent == 0.2 + 0.8 * (filled + 3) / 30
    left, right = memory.sample(50), loaded.sample(50)
    assert torch.equal(left.reward, right.reward)
    assert torch.equal(left.weight, right.weight)


def test_n_step_returns_and_priorities_can_be_combined():
    memory = prioritized(n_step=2, gamma=0.5)
    memory.add(numbered(0, 2))
    memory.add(numbered(2, 2))
    batch = memory.sample(8)
    assert batch.weight.shape == batch.discount.shape == (8,)


def test_sums_of_blocks_follow_every_change_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    priorities, size = Priorities(1_000, 0.6, "cpu"), 0
    for start in (0, 250, 256, 700):
        size = start + 44 if start else 250
        priorities.set_largest(start, size)
        rows = torch.randint(size, (300,), generator=generator)
        priorities.update(rows, 100 * torch.rand(300, generator=generator))
        assert torch.equal(priorities._sums, priorities._scaled.view(-1, 256).sum(dim=1, dtype=torch.float64))
    restored = Priorities(1_000, 0.6, "cpu")
    restored.load_state_dict(priorities.state_dict(size))
    assert torch.equal(restored._sums, priorities._sums)
    left, right = (one.draw(64, size, 0.4, torch.Generator().manual_seed(1)) for one in (priorities, restored))
    assert torch.equal(left.rows, right.rows)
