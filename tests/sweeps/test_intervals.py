"""Intervals over seeds equal Student's t-intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recframe.sweeps.intervals import t_interval

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


@given(VALUES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_intervals_equal_those_of_scipy(values, level):
    mean, low, high = t_interval(values, level)
    error = stats.sem(values)
    if error > 1e-9 * max(1.0, abs(mean)):
        assert (low, high) == pytest.approx(stats.t.interval(level, len(values) - 1, loc=mean, scale=error), rel=1e-6, abs=1e-6 * error)
    assert low <= mean <= high


@given(st.floats(-1e6, 1e6), st.integers(2, 6))
def test_the_interval_of_equal_values_has_no_width(value, count):
    mean, low, high = t_interval([value] * count)
    assert low == pytest.approx(value)
    assert high == pytest.approx(value)
    assert mean == pytest.approx(value)


def test_the_interval_agrees_with_a_table_of_the_t_distribution():
    mean, low, high = t_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert high - mean == pytest.approx(4.30265 / math.sqrt(3), abs=1e-5)  # t(0.975, 2)
    assert mean - low == pytest.approx(high - mean)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_are_refused(values):
    with pytest.raises(ValueError, match="needs two values"):
        t_interval(values)
