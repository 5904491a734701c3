"""The interquartile mean over seeds, with an interval over seeds and people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recframe.evaluation.hierarchical_bootstrap import bootstrapped_seeds, hierarchical_intervals, interquartile_means

finite = st.floats(-1e6, 1e6)


def sums_of(values):
    """The sums of people `[S, P]` who had one session each."""
    values = np.asarray(values, dtype=float)
    return np.stack([values, np.ones_like(values)], axis=-1)[:, :, None, :]


@given(st.lists(finite, min_size=1, max_size=20))
def test_the_interquartile_mean_is_the_mean_without_a_quarter_on_each_side(values):
    assert interquartile_means(np.array(values)) == pytest.approx(stats.trim_mean(values, 0.25))


def test_each_row_of_results_has_its_own_interquartile_mean():
    assert interquartile_means(np.array([[0.0, 1, 2, 100], [5, 5, 5, 5]])).tolist() == [1.5, 5.0]


def test_the_interval_of_one_seed_is_over_people_only():
    people = np.random.default_rng(0).normal(3, 2, (1, 400))
    (interval,) = hierarchical_intervals(sums_of(people))
    expected = stats.norm.interval(0.95, people.mean(), people.std() / 20)
    assert interval.mean == pytest.approx(people.mean())
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.05)


def test_people_and_seeds_both_widen_the_interval():
    random = np.random.default_rng(1)
    of_people, of_seeds = random.normal(0, 5, (1, 60)), random.normal(0, 1, (8, 1))

    def width(values):
        (interval,) = hierarchical_intervals(sums_of(values))
        return interval.high - interval.low

    alone = bootstrapped_seeds(of_seeds[:, 0])
    assert width(np.tile(of_seeds, 60)) == pytest.approx(alone.high - alone.low, rel=0.05)
    both = np.hypot(width(np.tile(of_people, (8, 1))), width(np.tile(of_seeds, 60)))
    assert width(of_people + of_seeds) == pytest.approx(both, rel=0.2)


def test_a_metric_is_a_ratio_of_sums_and_each_has_its_interval():
    clicks = np.array([[[1.0, 4], [2, 4]], [[3, 4], [2, 4]]])
    both = hierarchical_intervals(np.stack([clicks, clicks * [10, 1]], axis=2))
    assert [one.mean for one in both] == pytest.approx([0.5, 5.0])
    assert both[0].low < 0.5 < both[0].high


def test_people_of_one_run_only_count_for_that_run():
    random = np.random.default_rng(2)
    results, met = random.normal(0, 5, (4, 60)), np.repeat(np.eye(4), 60, axis=1)
    (apart,) = hierarchical_intervals((np.stack([np.tile(results, 4), np.ones((4, 240))], axis=-1) * met[:, :, None])[:, :, None])
    means, drawn = results.mean(axis=1), random.integers(60, size=(2_000, 4, 60))
    resampled = np.take_along_axis(results[None], drawn, axis=2).mean(axis=2)
    resampled = np.take_along_axis(resampled, random.integers(4, size=(2_000, 4)), axis=1)
    assert apart.mean == pytest.approx(interquartile_means(means))
    assert (apart.low, apart.high) == pytest.approx(np.quantile(interquartile_means(resampled), [0.025, 0.975]), abs=0.25)


def test_a_resample_without_anybody_of_a_run_is_left_out():
    sums = np.zeros((2, 4, 1, 2))
    sums[0, :2, 0], sums[1, 2:, 0] = [[1, 1], [2, 1]], [[3, 1], [4, 1]]
    (interval,) = hierarchical_intervals(sums)
    assert 1 <= interval.low < interval.mean == 2.5 < interval.high <= 4


def test_the_limits_of_one_result_without_people_are_unknown():
    interval = bootstrapped_seeds(np.array([2.0]))
    assert interval.mean == 2.0
    assert np.isnan([interval.low, interval.high]).all()
