"""Intervals over seeds and people: the formula, and how often they contain the truth."""

import numpy as np
import pytest
from scipy import stats

from recframe.evaluation.seed_intervals import crossed_intervals, mover_interval
from recframe.evaluation.statistics import ratio_intervals

SPLITS = 1_000


def two_way(generator, seeds, people, of_seeds, of_people, of_both):
    """Results `[S, P, SPLITS]` of true mean 0: skewed effects of people, normal ones of seeds, and what neither explains."""
    return (
        generator.normal(0, 1, (seeds, 1, SPLITS)) * of_seeds
        + (generator.exponential(1, (1, people, SPLITS)) - 1) * of_people
        + generator.normal(0, 1, (seeds, people, SPLITS)) * of_both
    )


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("people", [30, 60, 280])
@pytest.mark.parametrize(("of_seeds", "of_people", "of_both"), [(0, 1, 0.5), (0.1, 1, 0.5), (0.3, 1, 1), (1, 1, 0.5), (0, 0.3, 1)])
def test_intervals_contain_the_truth_about_95_times_in_100(seeds, people, of_seeds, of_people, of_both):
    generator = np.random.default_rng(seeds * people)
    results = two_way(generator, seeds, people, of_seeds, of_people, of_both)
    intervals = crossed_intervals(results, np.ones_like(results), resamples=600)
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert 0.93 <= covered <= 0.98


def test_the_formula_is_that_of_the_two_way_table():
    generator = np.random.default_rng(0)
    results = two_way(generator, 4, 25, 0.5, 1.0, 0.3)[:, :, 0]
    (interval,) = crossed_intervals(results[:, :, None], np.ones((4, 25, 1)))
    seeds, people, mean = results.mean(axis=1), results.mean(axis=0), results.mean()
    unexplained = ((results - seeds[:, None] - people + mean) ** 2).sum() / (3 * 24)
    of_seeds = stats.t.ppf(0.975, 3) * np.sqrt(seeds.var(ddof=1) / 4 - unexplained / 100)
    (of_people,) = ratio_intervals(people[:, None], np.ones((25, 1)), seed=0)
    assert interval.mean == pytest.approx(mean)
    assert interval.low == pytest.approx(mean - np.hypot(of_seeds, mean - of_people.low))
    assert interval.high == pytest.approx(mean + np.hypot(of_seeds, of_people.high - mean))


def test_seeds_that_agree_on_every_person_leave_the_interval_of_the_people():
    results = np.random.default_rng(1).exponential(1, (1, 40, 1)).repeat(3, axis=0)
    (interval,) = crossed_intervals(results, np.ones_like(results))
    (people,) = ratio_intervals(results[0], np.ones((40, 1)), seed=0)
    assert interval == pytest.approx((people.mean, people.low, people.high))


def own_people(results):
    """The tables `[S, S P, m]` of results `[S, P, m]` of runs that met other people each: numerators and denominators."""
    seeds, people, _ = results.shape
    met = np.repeat(np.eye(seeds), people, axis=1)[:, :, None]
    return np.tile(results, (1, seeds, 1)) * met, np.broadcast_to(met, (seeds, seeds * people, results.shape[2]))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("of_seeds", "of_people", "of_both"), [(0, 1, 0.5), (0.3, 1, 1), (1, 1, 0.5)])
def test_intervals_of_runs_with_other_people_contain_the_truth_at_least_95_times_in_100(seeds, of_seeds, of_people, of_both):
    generator = np.random.default_rng(seeds)
    results = of_seeds * generator.normal(0, 1, (seeds, 1, SPLITS)) + of_people * (generator.exponential(1, (seeds, 60, SPLITS)) - 1)
    results += of_both * generator.normal(0, 1, results.shape)
    intervals = crossed_intervals(*own_people(results), shared=False, resamples=200)
    assert np.mean([interval.low <= 0 <= interval.high for interval in intervals]) >= 0.94
    # as if they had met the same: too short
    if 0 < of_seeds < 1:
        intervals = crossed_intervals(results, np.ones_like(results), resamples=200)
        assert np.mean([interval.low <= 0 <= interval.high for interval in intervals]) < 0.93


def test_without_a_person_in_common_the_interval_is_students_and_not_shorter_than_that_of_the_people():
    results = two_way(np.random.default_rng(3), 4, 25, 0.5, 1.0, 0.3)[:, :, 0] + 10 * np.arange(4)[:, None]
    (interval,) = crossed_intervals(*own_people(results[:, :, None]), shared=False)
    means = results.mean(axis=1)
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 3, means.mean(), stats.sem(means)))
    (interval,) = crossed_intervals(*own_people(np.repeat(means, 25).reshape(4, 25, 1)), shared=False)
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 3, means.mean(), stats.sem(means)), rel=0.03)
    equal = results - means[:, None]
    (interval,) = crossed_intervals(*own_people(equal[:, :, None]), shared=False)
    (people,) = ratio_intervals(equal.reshape(-1, 1), np.ones((100, 1)), seed=0)
    assert (interval.low, interval.high) == pytest.approx((people.low, people.high))


def test_people_who_were_not_met_in_all_runs_widen_the_interval():
    generator = np.random.default_rng(2)
    results, met = two_way(generator, 3, 60, 0.1, 1.0, 0.5)[:, :, :1] + 5, np.ones((3, 60, 1))
    (shared,) = crossed_intervals(results, met)
    (apart,) = crossed_intervals(results, met, shared=False)
    assert apart.mean == shared.mean
    assert apart.low < shared.low < shared.high < apart.high


def test_without_single_people_the_runs_own_intervals_are_used():
    values, lows, highs = [1.0, 2.0, 4.0], [0.5, 1.0, 3.5], [2.0, 3.0, 6.0]
    mean, low, high = mover_interval(values, lows, highs)
    reach = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    assert mean == pytest.approx(7 / 3)
    assert low == pytest.approx(mean - np.hypot(reach, 2 / 3))
    assert high == pytest.approx(mean + np.hypot(reach, 4 / 3))


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_are_refused(values):
    with pytest.raises(ValueError, match="needs two values"):
        mover_interval(values, values, values)
