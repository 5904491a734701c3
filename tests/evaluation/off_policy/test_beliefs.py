"""What can be believed: intervals, diagnostics and the choice of an estimator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recframe.evaluation.off_policy import single_items
from recframe.evaluation.off_policy.choice import least_error_of, slope, slope_of, standard_error
from recframe.evaluation.off_policy.concentration import empirical_bernstein, hoeffding, values_of_people
from recframe.evaluation.off_policy.contributions import Contributions, intervals, mean_of, refitted_interval
from recframe.evaluation.off_policy.diagnostics import diagnose, effective_sample_size, few_people, weight_caveats
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.evaluation.off_policy.pas_if import fit_division, pas_if
from recframe.evaluation.off_policy.policy_caveats import PolicyCaveat, caveats_in_words
from recframe.evaluation.statistics import ratio_intervals, sums_by_person
from recframe.interfaces.data import DataError


def test_intervals_resample_people_not_rows():
    generator = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 10)
    values = np.repeat(generator.normal(size=40), 10)
    by_person = intervals(mean_of(values), people)[0]
    by_row = intervals(mean_of(values))[0]
    assert (by_person.n, by_row.n) == (40, 400)
    assert [by_person.mean, by_row.mean] == pytest.approx([values.mean()] * 2)
    assert by_person.high - by_person.low > 2.5 * (by_row.high - by_row.low)
    sums = [sums_by_person(side[:, None], people) for side in (values, np.ones(400))]
    assert by_person == ratio_intervals(*sums, seed=0)[0]


def test_people_may_be_any_numbers():
    values = np.arange(6.0)
    assert intervals(mean_of(values), np.array([7, 7, -1, -1, 9, 9])) == intervals(mean_of(values), np.array([1, 1, 0, 0, 2, 2]))


def test_a_refitted_interval_of_a_mean_is_nearly_the_bootstrap_interval():
    values = np.random.default_rng(0).normal(size=200)
    found = refitted_interval(lambda weights: weights @ values / weights.sum(axis=1), 200, resamples=4_000)
    reach = 1.96 * values.std() / np.sqrt(200)
    assert (found.mean, found.n) == (pytest.approx(values.mean()), 200)
    assert [found.low, found.high] == pytest.approx([values.mean() - reach, values.mean() + reach], abs=0.02)


def test_concentration_intervals_follow_their_equations():
    values = np.array([0.0, 0.5, 1.0, 0.5])
    found = hoeffding(values, 0, 2, level=0.9)
    reach = 2 * np.sqrt(np.log(2 / 0.1) / 8)
    assert found == (0.5, pytest.approx(0.5 - reach), pytest.approx(0.5 + reach), 4)
    found = empirical_bernstein(values, 0, 2, level=0.9)
    # the sample variance as a mean over pairs, as Maurer & Pontil define it
    variance = ((values[:, None] - values) ** 2).sum() / (2 * 4 * 3)
    reach = np.sqrt(2 * variance * np.log(4 / 0.1) / 4) + 7 * 2 * np.log(4 / 0.1) / (3 * 3)
    assert found == (0.5, pytest.approx(0.5 - reach), pytest.approx(0.5 + reach), 4)


def test_concentration_intervals_hold_where_bootstrap_intervals_do_not():
    """Rare large values: of 50 rows often none has one."""
    generator = np.random.default_rng(0)
    rare = (generator.random((500, 50)) < 0.02) * 50.0
    for interval in (hoeffding, empirical_bernstein):
        held = [found.low <= 1.0 <= found.high for found in (interval(row, 0, 50) for row in rare)]
        assert np.mean(held) >= 0.95
    held = [found.low <= 1.0 <= found.high for found in intervals(mean_of(rare), resamples=200)]
    assert np.mean(held) < 0.75


def test_empirical_bernstein_is_shorter_where_the_variance_is_small():
    values = np.random.default_rng(0).normal(0.5, 0.01, 2_000)
    reaches = [found.high - found.low for found in (hoeffding(values, 0, 1), empirical_bernstein(values, 0, 1))]
    assert reaches[1] < 0.4 * reaches[0]


def test_values_outside_their_bounds_are_refused():
    with pytest.raises(DataError, match="values must be within their bounds, 0 to 1; they are 0 to 2"):
        hoeffding(np.array([0.0, 2.0]), 0, 1)


@given(st.integers(0, 1_000))
def test_values_of_people_keep_the_mean_and_the_bound(seed):
    generator = np.random.default_rng(seed)
    people, values = generator.integers(5, size=40), generator.random(40)
    found, times = values_of_people(values, people)
    assert found.mean() == pytest.approx(values.mean())
    assert found.max() <= times + 1e-9


def test_the_effective_sample_size_is_kishs():
    assert effective_sample_size(np.array([2.0, 2.0, 2.0])) == pytest.approx(3)
    assert effective_sample_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    assert effective_sample_size(np.zeros(3)) == 0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_the_effective_sample_size_is_between_one_and_the_number_of_rows(weights):
    size = effective_sample_size(np.array(weights))
    assert size == 0 or 1 - 1e-9 <= size <= len(weights) + 1e-9


def test_good_weights_give_no_caveat():
    generator = np.random.default_rng(0)
    assert weight_caveats("p", diagnose(generator.uniform(0.5, 1.5, 2_000))) == []


@pytest.mark.parametrize(
    ("weights", "extra", "sentence"),
    [
        (np.r_[np.zeros(450), np.full(50, 10.0)], {}, "p (50 of 500 decisions): the effective sample size is below 100"),
        (np.r_[np.full(400, 0.5), 200.0], {}, "p (50%): one of 401 decisions has this much of the total weight"),
        (np.ones(500), {"impossible": 0.25}, "p (25.0%): in so many of its choices it shows items that the logging policy never would"),
        (np.ones(500), {"unlogged": 0.25}, "p (25.0%): in so many of its choices it shows items that none of the 500 decisions has shown"),
        (np.full(500, 0.5), {}, "p (0.500, standard error 0.000): the mean weight should be 1: it does what could not be logged"),
        (np.full(500, 2.0), {}, "p (2.000, standard error 0.000): the mean weight should be 1: the propensities are too small"),
        (np.zeros(500), {}, "p: the policy never does what was logged"),
    ],
)
def test_what_speaks_against_an_estimate_is_said_in_words(weights, extra, sentence):
    found = caveats_in_words(weight_caveats("p", diagnose(weights, **extra)))
    assert any(one.startswith(sentence) for one in found), found


def test_policies_with_the_same_reason_share_a_sentence():
    caveats = [
        PolicyCaveat("popular", "too few.", "23"),
        PolicyCaveat("popular", "never."),
        PolicyCaveat("ease", "too few.", "41"),
        PolicyCaveat("random", "never."),
    ]
    assert caveats_in_words(caveats) == ["popular (23), ease (41): too few.", "popular, random: never."]
    few = diagnose(np.r_[np.zeros(450), np.full(50, 10.0)]), diagnose(np.r_[np.zeros(460), np.full(40, 12.5)])
    (sentence,) = caveats_in_words([*weight_caveats("popular", few[0]), *weight_caveats("ease", few[1])])
    assert sentence.startswith("popular (50 of 500 decisions), ease (40 of 500 decisions): the effective sample size is below 100;")


def test_few_people_are_said_once():
    assert few_people(np.arange(500) % 30) == []
    (sentence,) = few_people(np.arange(500) % 7, "sessions")
    assert sentence == "The sessions are of only 7 people; intervals over fewer than 30 are unreliable."


def test_standard_errors_are_over_people():
    generator = np.random.default_rng(0)
    people, weights, rewards = np.arange(300) % 60, generator.exponential(size=300), generator.normal(size=300)
    found = standard_error(Contributions(weights * rewards, weights), people)
    residuals = weights * (rewards - (weights * rewards).sum() / weights.sum())
    sums = np.bincount(people, residuals)
    assert found == pytest.approx(np.sqrt((sums**2).sum()) / weights.sum())


def test_slope_takes_the_last_candidate_whose_interval_meets_all_before():
    values, deviations = np.array([0.0, 1.0, 1.5, 3.0, 0.5]), np.array([2.0, 1.0, 0.5, 0.1, 0.05])
    # [-4, 4], [-1, 3], [.5, 2.5] meet; [2.8, 3.2] does not, and what comes after it is not looked at
    assert slope(values, deviations) == 2
    assert slope(np.stack([values, np.zeros(5)]), np.stack([deviations, deviations])).tolist() == [2, 4]


def synthetic(generator, repetitions, rows=500, items=8, model_error=0.0):
    """Logs of a random policy, `[r, n]`, a policy that mostly shows the best item, and a model that errs by `model_error`."""
    truth = generator.uniform(0.2, 0.8, items)
    evaluated = np.full(items, 0.02) + 0.84 * np.eye(items)[truth.argmax()]
    logging = np.r_[np.full(items - 1, 0.12), 0.16] if truth.argmax() != items - 1 else np.r_[0.16, np.full(items - 1, 0.12)]
    actions = generator.choice(items, (repetitions, rows), p=logging)
    rewards = (generator.random(actions.shape) < truth[actions]) * 1.0
    predicted = truth + model_error * evaluated
    expected = np.full(actions.shape, evaluated @ predicted)
    return SingleItemLog(rewards, logging[actions], evaluated[actions], predicted[actions], expected), evaluated @ truth


@pytest.mark.parametrize("model_error", [0.0, 0.4], ids=["a model that is right", "a model that is wrong"])
def test_slope_is_nearly_as_good_as_its_best_candidate(model_error):
    errors, chosen = errors_of_choice(slope_of, model_error)
    assert chosen < 2 * errors.min() + 1e-6
    assert chosen < 0.5 * errors.max()


@pytest.mark.parametrize("model_error", [0.0, 0.4], ids=["a model that is right", "a model that is wrong"])
def test_the_least_estimated_error_is_not_worse_than_the_unbiased_candidate(model_error):
    errors, chosen = errors_of_choice(least_error_of, model_error)
    assert chosen < 1.1 * errors[0]
    assert chosen < 0.8 * errors.max()


def errors_of_choice(choose, model_error):
    """The mean squared errors of four thresholds of switch-DR, and of the choice among them."""
    log, value = synthetic(np.random.default_rng(0), 300, model_error=model_error)
    candidates = [single_items.switch_doubly_robust(log, threshold) for threshold in (np.inf, 6.0, 1.0, 0.0)]
    errors = np.stack([(candidate.value - value) ** 2 for candidate in candidates], axis=1)
    return errors.mean(axis=0), np.take_along_axis(errors, choose(candidates)[:, None], axis=1).mean()


def test_the_least_estimated_error_follows_its_equation():
    generator = np.random.default_rng(0)
    log = synthetic(generator, 5)[0]
    candidates = [single_items.inverse_propensity(log, clip) for clip in (np.inf, 3.0, 1.0)]
    values = np.stack([candidate.numerators for candidate in candidates])
    means = values.mean(axis=2)
    errors = values.var(axis=2) / values.shape[2] + (means - means[0]) ** 2
    np.testing.assert_array_equal(least_error_of(candidates), errors.argmin(axis=0))


def test_a_division_has_policies_and_reaches_the_evaluated_weights():
    generator = np.random.default_rng(0)
    logging, evaluated = (generator.dirichlet(np.ones(4) * 5, 2_000) for _ in range(2))
    actions = (logging.cumsum(axis=1) < generator.random((2_000, 1))).sum(axis=1)
    division = fit_division(actions, logging, evaluated, share=0.1, steps=100)
    for part in (division.evaluated, division.logging):
        np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-4)
        assert (part >= 0).all()
    assert division.rho.mean() == pytest.approx(0.1, abs=0.02)
    rows = np.arange(2_000)
    fitted, wanted = (side[0][rows, actions] / side[1][rows, actions] for side in (division[1:], (evaluated, logging)))
    assert ((fitted - wanted) ** 2).mean() < 0.01 * ((wanted - 1) ** 2).mean()


def test_pas_if_prefers_the_direct_method_with_a_right_model_and_weights_with_a_wrong_one():
    generator = np.random.default_rng(1)
    rows, items = 600, 8
    truth = generator.uniform(0.2, 0.8, items)
    logging, evaluated = (np.broadcast_to(np.exp(scale * truth) / np.exp(scale * truth).sum(), (rows, items)) for scale in (-2, 4))
    estimators = {"dm": single_items.direct_method, "ips": single_items.inverse_propensity, "snips": single_items.self_normalised}
    errors, names = {"right": [], "wrong": []}, {"right": [], "wrong": []}
    for seed in range(8):
        actions = (logging.cumsum(axis=1) < generator.random((rows, 1))).sum(axis=1)
        rewards = (generator.random(rows) < truth[actions]) * 1.0
        for model, q in (("right", truth), ("wrong", 1 - truth)):
            choice = pas_if(
                estimators,
                actions,
                rewards,
                logging,
                evaluated,
                lambda chosen, q=q: np.broadcast_to(q, (len(chosen), items)),
                seed=seed,
                steps=20,
            )
            assert choice.name == min(choice.errors, key=choice.errors.get)
            errors[model].append(list(choice.errors.values()))
            names[model].append(choice.name)
    right, wrong = (np.mean(errors[model], axis=0) for model in ("right", "wrong"))
    assert right.argmin() == 0
    assert wrong.argmax() == 0
    assert "dm" not in names["wrong"]
    assert names["right"].count("dm") >= 5


def test_pas_if_without_estimators_or_rows_says_so():
    two = np.full((4, 2), 0.5)
    with pytest.raises(DataError, match="no estimator to choose from"):
        pas_if({}, np.zeros(4, dtype=int), np.ones(4), two, two)
    never = np.broadcast_to([0.0, 1.0], (4, 2))
    with pytest.raises(DataError, match="no row looks as if the evaluated policy had logged it"):
        pas_if({"ips": single_items.inverse_propensity}, np.zeros(4, dtype=int), np.ones(4), two, never)
