"""Confidence intervals contain the truth as often as their level says."""

import numpy as np
import pytest
from scipy import stats

from recframe.evaluation.exposure import exposure_intervals
from recframe.evaluation.statistics import bootstrap_weights, jackknife_interval, ratio_intervals


def mean_interval(values, seed, resamples=2_000):
    return ratio_intervals(values[:, None], np.ones_like(values)[:, None], seed, resamples)[0]


@pytest.mark.parametrize(("name", "truth"), [("normal", 3.0), ("exponential", 2.0), ("bernoulli", 0.2)])
def test_intervals_of_means_contain_the_truth_about_95_times_in_100(name, truth):
    generator = np.random.default_rng(0)
    draw = {
        "normal": lambda: generator.normal(3.0, 2.0, 100),
        "exponential": lambda: generator.exponential(2.0, 100),
        "bernoulli": lambda: (generator.random(100) < 0.2).astype(float),
    }[name]
    intervals = [mean_interval(draw(), seed=i, resamples=400) for i in range(300)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.90 <= covered <= 0.985


def test_intervals_of_ratios_of_sums_contain_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(1)
    hits = []
    for i in range(300):
        # users who click more have longer sessions, so the mean of the users' own rates would be different
        rate = generator.choice([0.1, 0.5], 150)
        shown = np.where(rate > 0.3, 20, 5)
        (interval,) = ratio_intervals(generator.binomial(shown, rate)[:, None], shown[:, None], seed=i, resamples=400)
        hits.append(interval.low <= (0.1 * 5 + 0.5 * 20) / 25 <= interval.high)
    assert 0.90 <= np.mean(hits) <= 0.985


@pytest.mark.parametrize(("num_users", "num_items", "turns", "skew"), [(120, 200, 4, 1.0), (200, 50, 5, 1.5), (100, 500, 10, 0.0)])
def test_intervals_of_coverage_and_gini_contain_the_mean_over_other_samples_of_users(num_users, num_items, turns, skew):
    appeal = 1.0 / np.arange(1, num_items + 1) ** skew
    generator = np.random.default_rng(2)
    users = np.repeat(np.arange(num_users), turns)

    def sample():
        return users, generator.choice(num_items, size=num_users * turns, p=appeal / appeal.sum())

    runs = [exposure_intervals(*sample(), num_users, num_items) for _ in range(200)]
    for statistic in (0, 1):
        estimates = np.array([run[statistic].mean for run in runs])
        covered = np.mean([run[statistic].low <= estimates.mean() <= run[statistic].high for run in runs])
        assert covered >= 0.91
        # conservative, but narrow enough to be useful
        assert np.mean([run[statistic].high - run[statistic].low for run in runs]) < 2.0 * 3.92 * estimates.std()


def test_leaving_users_out_in_groups_gives_similar_intervals(monkeypatch):
    generator = np.random.default_rng(3)
    users, items = np.repeat(np.arange(600), 10), generator.zipf(1.5, 6000) % 300
    single = exposure_intervals(users, items, 600, 300)
    monkeypatch.setattr("recframe.evaluation.exposure.JACKKNIFE_BUDGET", 0)
    monkeypatch.setattr("recframe.evaluation.exposure.CHUNK_ELEMENTS", 1000)
    grouped = exposure_intervals(users, items, 600, 300)
    for one, many in zip(single, grouped, strict=True):
        assert many.mean == one.mean
        assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.35)


def test_coverage_and_gini_of_one_person_have_no_interval():
    for mean, low, high, people in exposure_intervals(np.zeros(3, dtype=int), np.array([1, 2, 2]), 1, 4):
        assert 0.0 < mean < 1.0
        assert np.isnan([low, high]).all()
        assert people == 1


def test_the_estimate_is_the_statistic_itself_and_is_within_its_interval():
    values = np.random.default_rng(3).normal(size=50)
    interval = mean_interval(values, seed=0)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low < interval.mean < interval.high
    assert interval.n == 50


def test_users_without_a_value_are_left_out():
    some, none = ratio_intervals(np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), seed=0)
    assert some[::3] == (2.0, 2)
    assert np.isnan(none.mean)
    assert none.n == 0


def test_intervals_repeat_with_the_seed_and_shrink_with_more_users():
    values = np.random.default_rng(4).normal(size=4000)
    assert mean_interval(values, seed=7) == mean_interval(values, seed=7)
    few, many = mean_interval(values[:100], seed=7), mean_interval(values, seed=7)
    assert many.high - many.low < 0.3 * (few.high - few.low)


def test_every_resample_has_n_users_for_any_size_of_chunks(monkeypatch):
    whole = np.concatenate(list(bootstrap_weights(30, 50, seed=1)))
    monkeypatch.setattr("recframe.evaluation.statistics.CHUNK_ELEMENTS", 200)
    chunks = list(bootstrap_weights(30, 50, seed=1))
    assert len(chunks) == 9
    assert (np.concatenate(chunks) == whole).all()
    assert (whole.sum(axis=1) == 30).all()
    assert whole.shape == (50, 30)


def test_the_jackknife_interval_of_a_mean_is_the_textbook_interval():
    values = np.random.default_rng(5).uniform(0.2, 0.6, 200)
    left_out = (values.sum() - values) / 199
    interval = jackknife_interval(values.mean(), left_out, 200)
    assert interval.high - interval.mean == pytest.approx(1.959964 * values.std(ddof=1) / np.sqrt(200))
    assert jackknife_interval(0.99, np.array([0.2, 0.8]), 2)[1:3] == (pytest.approx(0.99 - 1.959964 * 0.3, abs=1e-6), 1.0)


def test_intervals_of_very_many_people_are_students_t_and_about_those_of_resamples(monkeypatch):
    hits = (np.random.default_rng(0).random((20_000, 1)) < 0.02) * 1.0
    (resampled,) = ratio_intervals(hits, np.ones_like(hits), seed=0)
    monkeypatch.setattr("recframe.evaluation.statistics.LARGE_SAMPLE", 20_000)
    (direct,) = ratio_intervals(hits, np.ones_like(hits), seed=0)
    expected = stats.ttest_1samp(hits[:, 0], 0).confidence_interval(0.95)
    assert (direct.low, direct.high) == pytest.approx((expected.low, expected.high))
    assert (direct.low, direct.high) == pytest.approx((resampled.low, resampled.high), abs=0.1 * (direct.high - direct.mean))
