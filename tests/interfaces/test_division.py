"""Users divided over processes draw what one process draws for all of them, and share its minibatches."""

import pytest
import torch

from recframe.interfaces import UserDivision, dividing_users, own_draws, own_minibatches

RANKS, USERS, STEPS = 3, 4, 5


def generator():
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize("dim", [0, 1])
def test_the_draws_of_all_processes_are_those_of_one(dim):
    def draw(users):
        shape = [2, 2]
        shape[dim] = users
        return torch.randn(shape, generator=source)

    source = generator()
    expected = [own_draws(draw, USERS * RANKS, dim) for _ in range(2)]
    parts = []
    for rank in range(RANKS):
        source = generator()
        with dividing_users(UserDivision(rank, RANKS)):
            parts.append([own_draws(draw, USERS, dim) for _ in range(2)])
    for number in range(2):
        assert torch.equal(torch.cat([part[number] for part in parts], dim), expected[number])


def test_weighted_means_over_own_minibatches_are_the_means_of_the_whole_ones():
    values = torch.randn(STEPS, USERS * RANKS, dtype=torch.float64)
    whole = list(own_minibatches(STEPS, USERS * RANKS, 4, generator()))
    assert [weight for _, weight in whole] == [1.0] * 4
    means = torch.zeros(4, dtype=torch.float64)
    for rank in range(RANKS):
        own = values[:, rank * USERS : (rank + 1) * USERS].flatten()
        with dividing_users(UserDivision(rank, RANKS)):
            batches = list(own_minibatches(STEPS, USERS, 4, generator()))
        assert torch.cat([rows for rows, weight in batches if weight]).sort().values.tolist() == list(range(STEPS * USERS))
        means += torch.stack([weight * own[rows].mean() for rows, weight in batches]) / RANKS
    expected = torch.stack([values.flatten()[rows].mean() for rows, _ in whole])
    torch.testing.assert_close(means, expected)


def test_a_process_without_a_row_in_a_minibatch_takes_part_with_weight_zero():
    with dividing_users(UserDivision(0, 2)):
        batches = list(own_minibatches(1, 2, 4, generator()))
    assert len(batches) == 4
    assert sum(weight == 0.0 for _, weight in batches) == 2
    assert all(len(rows) for rows, _ in batches)
