"""A budgeted sample keeps to its budget, and its weighted sums are right on average, whatever is summed."""

import torch

from recframe.training.lm_tuning.budgeted_sample import budgeted_sample

SIZES = torch.tensor([0.0, 5.0, 1.0, 0.1, 2.0, 0.0, 0.5, 1.0])
COSTS = torch.tensor([3, 7, 2, 4, 5, 1, 6, 3])


def test_sums_are_unbiased_within_the_budget():
    generator, draws = torch.Generator().manual_seed(0), 4_000
    sums, most = torch.zeros(8, dtype=torch.float64), 0
    for _ in range(draws):
        rows, weights = budgeted_sample(SIZES, COSTS, 12, generator)
        sums[rows] += weights.double()
        most = max(most, int(COSTS[rows].sum()))
        assert len(rows) == len(set(rows.tolist()))
    assert most == 12
    mean = sums / draws
    assert mean[SIZES == 0].abs().max() == 0
    # each row counts once on average: so does any sum over rows
    torch.testing.assert_close(mean[SIZES > 0], torch.ones(6, dtype=torch.float64), atol=0.25, rtol=0)
    # the largest is certain but where what comes before leaves it no room
    assert 0.9 < float(mean[1]) < 1.1


def test_all_are_taken_once_where_all_fit_and_luck_is_spent_alike():
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    rows, weights = budgeted_sample(SIZES, COSTS, 27, generators[0])
    assert rows.tolist() == [1, 2, 3, 4, 6, 7]
    assert weights.tolist() == [1.0] * 6
    budgeted_sample(SIZES, COSTS, 8, generators[1])
    assert torch.equal(*(generator.get_state() for generator in generators))
