"""Comparisons of policies: known answers, laws, and how often paired intervals contain the truth."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recframe.evaluation.comparisons import (
    compare,
    holm,
    inverted_p_value,
    paired_sums,
    probability_of_improvement,
    results,
    sign_flip_test,
)
from recframe.evaluation.statistics import ratio_intervals

finite = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 3))


def sums_of(values, queries=1.0):
    """Sums `[S, P, 2]` of the values `[S, P]` of people with this number of queries."""
    values = np.asarray(values, dtype=float)
    return np.stack([values * queries, np.broadcast_to(queries, values.shape)], axis=2)


def people(generator, count=200):
    """Results of people who like two policies alike, and differ in that much more than the policies do."""
    liking = generator.exponential(1, (1, count))
    return liking + generator.normal(0, 0.1, (1, count)), liking + generator.normal(0, 0.1, (1, count))


def test_a_paired_difference_is_known_better_than_the_policies():
    ours, theirs = people(np.random.default_rng(0))
    comparison = compare(sums_of(ours + 0.1), sums_of(theirs))
    assert comparison.difference == pytest.approx(0.1 + (ours - theirs).mean())
    (single,) = ratio_intervals(ours.T, np.ones_like(ours.T), seed=0)
    assert comparison.high - comparison.low < 0.3 * (single.high - single.low)
    assert comparison.p < 0.001
    assert np.isnan([comparison.p_seeds, comparison.improvement]).all(), "one seed says nothing about others"


def test_with_one_seed_the_interval_is_the_bootstrap_t_interval_of_the_differences():
    ours, theirs = people(np.random.default_rng(1), 40)
    comparison = compare(sums_of(ours), sums_of(theirs), resamples=500)
    (expected,) = ratio_intervals((ours - theirs).T, np.ones((40, 1)), 0, 500)
    assert (comparison.low, comparison.high) == pytest.approx((expected.low, expected.high))


def test_the_p_value_is_that_of_a_paired_t_test_where_that_is_exact():
    generator = np.random.default_rng(2)
    for shift in (0.0, 0.05, 0.1, 0.2):
        differences = generator.normal(shift, 1, (1, 400))
        p = compare(sums_of(differences), sums_of(np.zeros((1, 400)))).p
        assert p == pytest.approx(stats.ttest_1samp(differences[0], 0).pvalue, abs=0.03)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1_000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_excludes_zero_exactly_if_the_p_value_is_below_its_level(seed, level):
    ours, theirs = people(np.random.default_rng(seed), 30)
    comparison = compare(sums_of(ours + 0.03), sums_of(theirs), resamples=300, level=level)
    excluded = comparison.low > 0 or comparison.high < 0
    assert excluded == (comparison.p <= 1 - level + 1e-6)


def test_paired_intervals_over_people_contain_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(3)
    covered, rejected = [], []
    for _ in range(400):
        # rare hits, as in rankings: a third of the people have several queries
        queries = generator.integers(1, 4, 80).astype(float)
        rate = generator.beta(1, 6, 80)
        ours, theirs = (generator.binomial(queries.astype(int), rate)[None] / queries for _ in range(2))
        comparison = compare(sums_of(ours, queries), sums_of(theirs, queries), resamples=300)
        covered.append(comparison.low <= 0 <= comparison.high)
        rejected.append(comparison.p <= 0.05)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(rejected) == pytest.approx(1 - np.mean(covered), abs=0.01)


def test_intervals_over_seeds_and_people_contain_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(4)
    covered = []
    for _ in range(300):
        liking = generator.exponential(1, (1, 60))
        ours, theirs = (liking + generator.normal(0, 0.2, (5, 1)) + generator.normal(0, 0.5, (5, 60)) for _ in range(2))
        comparison = compare(sums_of(ours), sums_of(theirs), resamples=300)
        covered.append(comparison.low <= 0 <= comparison.high)
    assert 0.93 <= np.mean(covered) <= 0.99


def test_a_policy_without_randomness_is_compared_with_every_seed():
    generator = np.random.default_rng(5)
    ours, theirs = generator.normal(0, 1, (4, 30)), generator.normal(0, 1, (1, 30))
    assert compare(sums_of(ours), sums_of(theirs)) == compare(sums_of(ours), sums_of(theirs.repeat(4, axis=0)))


@pytest.mark.parametrize("shape", [(2, 30), (4, 29)])
def test_other_people_or_seeds_cannot_be_paired(shape):
    with pytest.raises(ValueError, match="same people and seeds"):
        compare(sums_of(np.zeros((4, 30))), sums_of(np.zeros(shape)))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1_000))
def test_the_other_way_round_is_the_same_with_the_other_sign(seed):
    generator = np.random.default_rng(seed)
    ours, theirs = sums_of(generator.exponential(1, (3, 12))), sums_of(generator.exponential(1, (3, 12)))
    one, other = compare(ours, theirs, resamples=100), compare(theirs, ours, resamples=100)
    assert (one.difference, one.p_seeds, one.improvement) == pytest.approx((-other.difference, other.p_seeds, 1 - other.improvement))
    assert compare(ours, ours, resamples=100)[:5] == (0, 0, 0, 1, 1)


def test_where_denominators_differ_the_difference_is_that_of_the_ratios():
    generator = np.random.default_rng(6)
    ours = np.stack([generator.exponential(1, (1, 50)), generator.integers(1, 9, (1, 50))], axis=2)
    theirs = np.stack([generator.exponential(1, (1, 50)), generator.integers(1, 9, (1, 50))], axis=2)
    numerators, denominators = paired_sums(ours, theirs)
    assert numerators.sum() / denominators.sum() == pytest.approx(float((results(ours) - results(theirs))[0]))
    assert compare(ours, theirs).low < compare(ours, theirs).difference < compare(ours, theirs).high


def test_runs_with_people_of_their_own_are_paired_where_both_met_them():
    generator = np.random.default_rng(4)
    met = np.repeat(np.eye(3, dtype=bool), 20, axis=1)
    ours, theirs = (generator.gamma(2, 1, (3, 60, 2)) * met[:, :, None] for _ in range(2))
    numerators, denominators = paired_sums(ours, theirs, met)
    assert (numerators.sum(axis=1) / denominators.sum(axis=1)) == pytest.approx(results(ours) - results(theirs))
    assert (numerators[~met] == 0).all()
    of_runs = results(ours) - results(theirs)
    found = compare(ours, theirs, met=met)
    assert found.difference == pytest.approx(of_runs.mean())
    assert found.high - found.low >= np.ptp(stats.t.interval(0.95, 2, 0, stats.sem(of_runs))) * (1 - 1e-9)
    assert found.improvement == (of_runs > 0).mean()


def test_the_sign_flip_test_counts_all_patterns():
    assert sign_flip_test(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_test(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 32
    assert sign_flip_test(np.array([1.0, -1.0])) == 1.0
    differences = np.array([0.3, -0.1, 0.7, 0.2])
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True))) for signs in itertools.product((-1, 1), repeat=4)
    ]
    assert sign_flip_test(differences) == np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)


@given(st.lists(finite, min_size=1, max_size=8), st.floats(0.1, 10))
def test_the_sign_flip_test_does_not_depend_on_the_unit(values, factor):
    differences = np.array(values)
    p = sign_flip_test(differences)
    assert 2.0 ** (1 - len(values)) <= p <= 1.0
    assert sign_flip_test(-differences) == p
    assert sign_flip_test(differences * 2.0 ** round(factor)) == p


def test_many_seeds_are_flipped_at_random():
    differences = np.random.default_rng(7).normal(0.4, 1, 30)
    assert sign_flip_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


@given(st.lists(finite, min_size=1, max_size=6), st.lists(finite, min_size=1, max_size=6))
def test_the_probability_of_improvement_counts_pairs_of_runs(ours, theirs):
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in ours for b in theirs]
    assert probability_of_improvement(np.array(ours), np.array(theirs)) == pytest.approx(np.mean(wins))


def test_where_lower_is_better_the_other_improves_and_the_difference_stays():
    random = np.random.default_rng(8)
    ours, theirs = (sums_of(random.normal(level, 1, (3, 20))) for level in (0.0, 0.2))
    high, low = compare(ours, theirs, resamples=200), compare(ours, theirs, resamples=200, low_is_better=True)
    assert low == high._replace(improvement=1.0 - high.improvement)


def test_holms_correction_of_a_known_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, float("nan"), 0.04]) == pytest.approx([0.02, float("nan"), 0.04], nan_ok=True)
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_correction_keeps_the_order_and_lies_between_none_and_bonferronis(values):
    adjusted = holm(values)
    for p, corrected in zip(values, adjusted, strict=True):
        assert p <= corrected <= min(1.0, p * len(values)) or corrected == pytest.approx(p)
    for a, b in itertools.combinations(range(len(values)), 2):
        assert (values[a] < values[b]) <= (adjusted[a] <= adjusted[b])


def test_a_p_value_is_never_smaller_than_the_resamples_can_tell():
    assert inverted_p_value(lambda level: (1.0, 2.0), 0.001) == 0.001
    assert inverted_p_value(lambda level: (-1.0, 2.0), 0.001) == 1.0
    assert np.isnan(inverted_p_value(lambda level: (float("nan"), float("nan")), 0.001))
    assert inverted_p_value(lambda level: (0.5 - level, 2.0), 0.001) == pytest.approx(0.5, abs=1e-6)
