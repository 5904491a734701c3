"""Replay memory: it holds the last `capacity` transitions, however they were added."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.experience import ReplayMemory
from recframe.testing import toy_data, toy_spec, toy_transition

DATA = toy_data()
SPEC = toy_spec(DATA)


def numbered(first: int, count: int):
    """`count` transitions whose rewards are `first`, `first + 1`, and so on."""
    transition = toy_transition(SPEC, DATA, torch.Generator().manual_seed(first), users=count)
    transition.reward = torch.arange(first, first + count, dtype=torch.float32)
    return transition


def held(memory: ReplayMemory) -> set[float]:
    return set(memory.sample(2_000).reward.tolist())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=12), st.integers(7, 20))
def test_the_memory_holds_the_last_capacity_transitions(counts, capacity):
    memory, added = ReplayMemory(capacity, seed=0, device="cpu"), 0
    for count in counts:
        memory.add(numbered(added, count))
        added += count
    assert memory.size == min(added, capacity)
    assert held(memory) == {float(number) for number in range(max(0, added - capacity), added)}


def test_sampled_transitions_equal_those_added():
    memory = ReplayMemory(10, seed=0, device="cpu")
    added = numbered(0, 6)
    memory.add(added)
    for sampled in memory.sample(20):
        original = added[int(sampled.reward)]
        assert torch.equal(sampled.slate, original.slate)
        assert torch.equal(sampled.next_observation.history_items, original.next_observation.history_items)
        assert torch.equal(sampled.response.signals["click"], original.response.signals["click"])


def test_adding_more_than_the_capacity_and_sampling_an_empty_memory_are_refused():
    with pytest.raises(ValueError, match="memory of 3 transitions cannot take 4"):
        ReplayMemory(3, seed=0, device="cpu").add(numbered(0, 4))
    with pytest.raises(ValueError, match="empty"):
        ReplayMemory(3, seed=0, device="cpu").sample(1)


@pytest.mark.parametrize("filled", [4, 25])
def test_a_restored_memory_continues_identically(filled):
    memory = ReplayMemory(10, seed=0, device="cpu")
    for first in range(0, filled, 4):
        memory.add(numbered(first, 4))
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    loaded = ReplayMemory(10, seed=1, device="cpu")
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for one in (memory, loaded):
        one.add(numbered(1_000, 3))
    assert torch.equal(memory.sample(50).reward, loaded.sample(50).reward)


def test_an_empty_memory_can_be_saved_and_restored():
    loaded = ReplayMemory(10, seed=1, device="cpu")
    loaded.load_state_dict(ReplayMemory(10, seed=0, device="cpu").state_dict())
    assert loaded.size == 0


def test_uniform_sampling_draws_one_random_number_per_transition():
    memory = ReplayMemory(100, seed=3, device="cpu")
    memory.add(numbered(0, 60))
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        assert memory.sample(50).reward.tolist() == torch.randint(60, (50,), generator=generator).tolist()
