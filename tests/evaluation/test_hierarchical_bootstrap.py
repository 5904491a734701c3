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


def test_the_limits_of_one_result_without_people_are_unknown():
    interval = bootstrapped_seeds(np.array([2.0]))
    assert interval.mean == 2.0
    assert np.isnan([interval.low, interval.high]).all()
