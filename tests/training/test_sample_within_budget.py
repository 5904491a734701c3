"""A sample within a budget: it keeps to the budget, and its weighted sums are unbiased."""

import torch

from recframe.training.lm_tuning.sampling import sample_within_budget

SIZES = torch.tensor([0.0, 5.0, 1.0, 0.1, 2.0, 0.0, 0.5, 1.0])
COSTS = torch.tensor([3, 7, 2, 4, 5, 1, 6, 3])


def test_sums_are_unbiased_within_the_budget():
    generator, draws = torch.Generator().manual_seed(0), 4_000
    sums, most = torch.zeros(8, dtype=torch.float64), 0
    for _ in range(draws):
        rows, weights = sample_within_budget(SIZES, COSTS, 12, generator)
        sums[rows] += weights.double()
        most = max(most, int(COSTS[rows].sum()))
        assert len(rows) == len(set(rows.tolist()))
    assert most == 12
    mean = sums / draws
    assert mean[SIZES == 0].abs().max() == 0
    # each row has weight one on average, so any sum over rows is unbiased
    torch.testing.assert_close(mean[SIZES > 0], torch.ones(6, dtype=torch.float64), atol=0.25, rtol=0)
    # the largest row is taken unless earlier rows leave no room for it
    assert 0.9 < float(mean[1]) < 1.1


def test_all_rows_are_taken_if_all_fit_with_the_same_number_of_random_draws():
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    rows, weights = sample_within_budget(SIZES, COSTS, 27, generators[0])
    assert rows.tolist() == [1, 2, 3, 4, 6, 7]
    assert weights.tolist() == [1.0] * 6
    sample_within_budget(SIZES, COSTS, 8, generators[1])
    assert torch.equal(*(generator.get_state() for generator in generators))
