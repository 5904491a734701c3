"""95 % intervals over people contain the truth in 93 to 97 of 100 splits of a synthetic population."""

import numpy as np
import pytest

from recframe.evaluation.statistics import Interval, rate_interval, ratio_intervals, sums_by_person

SPLITS = 1_000


def skewed_returns(generator, people):
    """Returns of true mean 1 whose distribution is exponential."""
    return generator.exponential(1.0, (people, SPLITS)), np.ones((people, SPLITS)), 1.0


def sums_of_clicks(generator, people):
    """Clicks in ten turns of people whose rates are Beta(1, 4): the mean is 2."""
    return generator.binomial(10, generator.beta(1, 4, (people, SPLITS))), np.ones((people, SPLITS)), 2.0


def rates_of_sessions_of_random_length(generator, people):
    """Clicks per shown item, 1/5, where sessions last 1 to 40 turns."""
    turns = generator.integers(1, 41, (people, SPLITS))
    return generator.binomial(turns, generator.beta(1, 4, (people, SPLITS))), turns, 0.2


def several_sessions_each(generator, people):
    """Returns of true mean 1 in twice as many sessions as people, less one: the person explains nearly all of a return."""
    of_session = np.arange(2 * people - 1) % people
    likes = generator.exponential(0.9, (people, SPLITS))
    returns = likes[of_session] + generator.exponential(0.1, (len(of_session), SPLITS))
    return sums_by_person(returns, of_session), sums_by_person(np.ones_like(returns), of_session), 1.0


@pytest.mark.parametrize("people", [30, 60, 280])
@pytest.mark.parametrize("population", [skewed_returns, sums_of_clicks, rates_of_sessions_of_random_length, several_sessions_each])
def test_intervals_contain_the_truth_in_93_to_97_of_100_splits(population, people):
    numerators, denominators, truth = population(np.random.default_rng(people), people)
    intervals = ratio_intervals(numerators, denominators, seed=0, resamples=1_000)
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("people", [3, 5, 10])
def test_a_handful_of_people_gives_intervals_that_are_wide_enough(people):
    returns = np.random.default_rng(people).normal(3.0, 1.0, (people, SPLITS))
    intervals = ratio_intervals(returns, np.ones_like(returns), seed=0, resamples=1_000)
    assert np.mean([interval.low <= 3.0 <= interval.high for interval in intervals]) >= 0.93


def test_rare_events_give_intervals_that_are_wide_enough():
    events = (np.random.default_rng(0).random((30, SPLITS)) < 0.2).astype(float)
    intervals = ratio_intervals(events, np.ones_like(events), seed=0, resamples=1_000)
    assert np.mean([interval.low <= 0.2 <= interval.high for interval in intervals]) >= 0.93


@pytest.mark.parametrize("rate", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("people", [30, 58, 280])
def test_intervals_of_rates_that_nobody_showed_contain_the_rate(people, rate):
    events = (np.random.default_rng(0).random((people, SPLITS)) < rate).astype(float)
    intervals = [rate_interval(one) for one in ratio_intervals(events, np.ones_like(events), seed=0, resamples=200)]
    nobody = [one for one in intervals if one.mean == 0.0]
    exact = 1 - 0.025 ** (1 / people)
    assert all((one.low, one.high) == (0.0, exact) for one in nobody)
    # the rate may be above the limit only where nobody is hardly ever the outcome
    assert sum(one.high < rate for one in nobody) <= 0.025 * SPLITS


def test_an_exact_interval_replaces_only_one_without_width_at_0_or_1():
    always, half = Interval(1.0, 1.0, 1.0, 40), Interval(0.5, 0.5, 0.5, 40)
    assert rate_interval(always).low == pytest.approx(0.025 ** (1 / 40))
    for other in (half, Interval(0.0, 0.0, 0.1, 40), Interval(0.0, 0.0, 0.0, 0)):
        assert rate_interval(other) == other


def test_the_interval_of_a_rate_stays_between_0_and_1():
    assert rate_interval(Interval(0.4, -0.87, 1.67, 2)) == Interval(0.4, 0.0, 1.0, 2)
    assert np.isnan(rate_interval(Interval(0.4, np.nan, np.nan, 1)).low)


def test_sessions_of_one_person_are_summed():
    sums = sums_by_person(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([1, 0, 1]))
    assert sums.tolist() == [[3.0, 4.0], [6.0, 8.0]]


def test_the_limits_equal_a_bootstrap_t_by_definition():
    generator = np.random.default_rng(4)
    clicks, turns = generator.binomial(20, 0.3, 40).astype(float), generator.integers(20, 30, 40).astype(float)
    (interval,) = ratio_intervals(clicks[:, None], turns[:, None], seed=5, resamples=500)

    def rate_and_error(rows):
        rate = clicks[rows].sum() / turns[rows].sum()
        return rate, np.sqrt(((clicks[rows] - rate * turns[rows]) ** 2).sum()) / turns[rows].sum()

    rate, error = rate_and_error(np.arange(40))
    resamples = [rate_and_error(rows) for rows in np.random.default_rng(5).integers(40, size=(500, 40))]
    low, high = np.quantile([(there - rate) / spread for there, spread in resamples], [0.025, 0.975])
    assert (interval.mean, interval.n) == (pytest.approx(rate), 40)
    assert (interval.low, interval.high) == (pytest.approx(rate - high * error), pytest.approx(rate - low * error))


def test_the_interval_of_equal_values_has_no_width_and_that_of_one_person_is_unknown():
    (equal,) = ratio_intervals(np.full((20, 1), 0.1), np.ones((20, 1)), seed=0, resamples=200)
    assert (equal.low, equal.high) == (pytest.approx(0.1), pytest.approx(0.1))
    (single,) = ratio_intervals(np.array([[2.0]]), np.ones((1, 1)), seed=0, resamples=200)
    assert (single.mean, single.n) == (2.0, 1)
    assert np.isnan([single.low, single.high]).all()
