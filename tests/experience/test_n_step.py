"""n-step returns, compared with a loop over each user's own steps."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.experience import ReplayMemory
from recframe.testing import toy_data, toy_spec, toy_transition

DATA = toy_data()
SPEC = toy_spec(DATA)


def steps_of(users: int, count: int, seed: int) -> list:
    """`count` steps of `users` users; each observation identifies its transition."""
    generator = torch.Generator().manual_seed(seed)
    steps = []
    for number in range(count):
        step = toy_transition(SPEC, DATA, generator, users=users)
        step.reward = torch.randn(users, generator=generator)
        ending = torch.rand(users, generator=generator)
        step.terminated, step.truncated = ending < 0.15, (ending > 0.15) & (ending < 0.3)
        step.observation.user = number * users + torch.arange(users)
        step.next_observation.user = 10_000 + step.observation.user
        steps.append(step)
    return steps


def filled_memory(steps, capacity, n_step, gamma=0.9, **options):
    memory = ReplayMemory(capacity, seed=0, device="cpu", n_step=n_step, gamma=gamma, **options)
    for step in steps:
        memory.add(step)
    return memory


def expected(steps, user, start, n_step, gamma):
    """The return of at most `n_step` steps of `user` from `start`, its discount, and the number of its last step."""
    reward, k = 0.0, 0
    for step in steps[start : start + n_step]:
        reward += gamma**k * float(step.reward[user])
        k += 1
        if step.terminated[user] or step.truncated[user]:
            break
    return reward, gamma**k, start + k - 1


@settings(max_examples=30, deadline=None)
@given(
    users=st.integers(1, 5),
    count=st.integers(1, 12),
    spare=st.integers(0, 23),
    n_step=st.integers(2, 5),
    gamma=st.sampled_from([0.0, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
def test_sampled_returns_equal_those_of_a_loop_over_the_users(users, count, spare, n_step, gamma, seed):
    steps = steps_of(users, count, seed)
    batch = filled_memory(steps, users + spare, n_step, gamma).sample(80)
    for sampled in batch:
        start, user = divmod(int(sampled.observation.user), users)
        reward, discount, last = expected(steps, user, start, n_step, gamma)
        assert float(sampled.reward) == pytest.approx(reward, abs=1e-5)
        assert float(sampled.discount) == pytest.approx(discount, rel=1e-5)
        assert int(sampled.next_observation.user) == 10_000 + last * users + user
        assert bool(sampled.terminated) == bool(steps[last].terminated[user])
        assert bool(sampled.truncated) == bool(steps[last].truncated[user])
        assert torch.equal(sampled.slate, steps[start].slate[user])
        assert torch.equal(sampled.item_reward, steps[start].item_reward[user])


def test_one_step_transitions_have_no_discount():
    batch = filled_memory(steps_of(4, 5, seed=0), 50, n_step=1).sample(30)
    assert batch.discount is None


def test_the_rows_drawn_do_not_depend_on_n_step():
    steps = steps_of(4, 9, seed=0)
    one, three = filled_memory(steps, 30, n_step=1), filled_memory(steps, 30, n_step=3)
    assert torch.equal(one.sample(50).observation.user, three.sample(50).observation.user)


def test_changing_a_sample_does_not_change_the_memory():
    memory = filled_memory(steps_of(4, 9, seed=0), 30, n_step=3)
    before = memory.state_dict()["held"]
    memory.sample(50).reward.zero_()
    after = memory.state_dict()["held"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_number_of_users_is_refused():
    memory = filled_memory(steps_of(4, 1, seed=0), 30, n_step=3)
    with pytest.raises(ValueError, match="same users at each step: 3 follow 4"):
        memory.add(steps_of(3, 1, seed=0)[0])


def test_a_restored_memory_joins_the_same_steps():
    steps = steps_of(4, 9, seed=0)
    memory, loaded = filled_memory(steps, 30, n_step=3), ReplayMemory(30, seed=5, device="cpu", n_step=3, gamma=0.9)
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for one in (memory, loaded):
        one.add(steps[0])
    left, right = memory.sample(50), loaded.sample(50)
    assert torch.equal(left.reward, right.reward)
    assert torch.equal(left.discount, right.discount)
