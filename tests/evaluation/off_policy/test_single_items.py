import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recframe.evaluation.off_policy import single_items
from recframe.evaluation.off_policy.contributions import linearised
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.interfaces.data import DataError


@pytest.fixture
def log():
    """Three rows by hand: weights 2, 1/2 and 0."""
    return SingleItemLog(
        rewards=np.array([1.0, 3.0, 5.0]),
        propensities=np.array([0.25, 0.8, 0.5]),
        probabilities=np.array([0.5, 0.4, 0.0]),
        predicted=np.array([0.5, 2.0, 4.0]),
        expected=np.array([1.0, 2.0, 3.0]),
    )


def test_estimators_follow_their_equations_by_hand(log):
    assert single_items.direct_method(log).value == pytest.approx((1 + 2 + 3) / 3)
    assert single_items.inverse_propensity(log).value == pytest.approx((2 * 1 + 0.5 * 3 + 0) / 3)
    assert single_items.inverse_propensity(log, clip=1.0).value == pytest.approx((1 * 1 + 0.5 * 3 + 0) / 3)
    assert single_items.self_normalised(log).value == pytest.approx((2 * 1 + 0.5 * 3) / 2.5)
    corrections = 2 * (1 - 0.5) + 0.5 * (3 - 2)
    assert single_items.doubly_robust(log).value == pytest.approx((6 + corrections) / 3)
    assert single_items.self_normalised_doubly_robust(log).value == pytest.approx(6 / 3 + corrections / 2.5)
    assert single_items.switch_doubly_robust(log, 1.0).value == pytest.approx((6 + 0.5 * (3 - 2)) / 3)


@pytest.mark.parametrize("estimator", [single_items.inverse_propensity, single_items.doubly_robust], ids=["ips", "dr"])
def test_the_expectation_over_the_logging_policy_is_the_value(estimator):
    generator = np.random.default_rng(0)
    logging, evaluated = generator.dirichlet(np.ones(5), 2)
    rewards, predicted = generator.normal(size=(2, 5))
    every_item = SingleItemLog(rewards, logging, evaluated, predicted, np.full(5, evaluated @ predicted))
    assert logging @ estimator(every_item).numerators == pytest.approx(evaluated @ rewards)


logs = st.integers(0, 10_000).map(lambda seed: random_log(np.random.default_rng(seed)))


def random_log(generator, rows=30):
    logging, evaluated = generator.dirichlet(np.ones(4), (2, rows))
    actions, places = generator.integers(4, size=rows), np.arange(rows)
    predicted = generator.normal(size=(rows, 4))
    expected = (evaluated * predicted).sum(axis=1)
    rewards = generator.normal(size=rows)
    return SingleItemLog(rewards, logging[places, actions], evaluated[places, actions], predicted[places, actions], expected)


@given(logs)
def test_estimates_of_the_logging_policy_are_the_mean_reward(log):
    same = SingleItemLog(log.rewards, log.propensities, log.propensities)
    for estimator in (single_items.inverse_propensity, single_items.self_normalised):
        assert estimator(same).value == pytest.approx(log.rewards.mean())


@given(logs, st.floats(-5, 5))
def test_self_normalised_estimates_move_with_a_constant_added_to_rewards(log, constant):
    moved = SingleItemLog(log.rewards + constant, log.propensities, log.probabilities)
    difference = single_items.self_normalised(moved).value - single_items.self_normalised(log).value
    assert difference == pytest.approx(constant, abs=1e-9)


@given(logs)
def test_self_normalised_estimates_are_within_the_rewards(log):
    value = single_items.self_normalised(log).value
    assert log.rewards.min() - 1e-12 <= value <= log.rewards.max() + 1e-12


@given(logs, st.floats(0.1, 10))
def test_estimates_scale_with_the_rewards(log, factor):
    scaled = SingleItemLog(factor * log.rewards, log.propensities, log.probabilities, factor * log.predicted, factor * log.expected)
    for estimator in (
        single_items.direct_method,
        single_items.inverse_propensity,
        single_items.self_normalised,
        single_items.doubly_robust,
        single_items.self_normalised_doubly_robust,
    ):
        assert estimator(scaled).value == pytest.approx(factor * estimator(log).value, rel=1e-9, abs=1e-9)


@given(logs)
def test_a_perfect_model_leaves_no_variance_from_weights(log):
    perfect = SingleItemLog(log.predicted, log.propensities, log.probabilities, log.predicted, log.expected)
    for estimator in (single_items.doubly_robust, single_items.self_normalised_doubly_robust):
        np.testing.assert_allclose(estimator(perfect).linear, log.expected, atol=1e-9)


@given(logs)
def test_switch_is_doubly_robust_at_infinity_and_the_direct_method_at_zero(log):
    assert single_items.switch_doubly_robust(log, np.inf).value == pytest.approx(single_items.doubly_robust(log).value)
    positive = SingleItemLog(log.rewards, log.propensities, np.maximum(log.probabilities, 1e-9), log.predicted, log.expected)
    assert single_items.switch_doubly_robust(positive, 0.0).value == pytest.approx(single_items.direct_method(positive).value)


@given(logs)
def test_repetitions_along_leading_axes_are_estimated_one_by_one(log):
    other = random_log(np.random.default_rng(3))
    names = ("rewards", "propensities", "probabilities", "predicted", "expected")
    both = SingleItemLog(*(np.stack([getattr(log, name), getattr(other, name)]) for name in names))
    for estimator in (single_items.self_normalised, single_items.doubly_robust, single_items.self_normalised_doubly_robust):
        np.testing.assert_allclose(estimator(both).value, [estimator(log).value, estimator(other).value])


def test_linearised_values_have_the_ratio_as_mean_and_its_delta_method_variance():
    generator = np.random.default_rng(0)
    denominators = generator.exponential(size=2_000)
    numerators = denominators * 2 + generator.normal(size=2_000)
    values = linearised(numerators, denominators)
    assert values.mean() == pytest.approx(numerators.sum() / denominators.sum())
    drawn = generator.integers(2_000, size=(2_000, 2_000))
    ratios = numerators[drawn].sum(axis=1) / denominators[drawn].sum(axis=1)
    assert values.std() / np.sqrt(2_000) == pytest.approx(ratios.std(), rel=0.06)


GOOD = {"rewards": np.ones(3), "propensities": np.full(3, 0.5), "probabilities": np.full(3, 0.5)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"propensities": np.array([0.5, 0.0, 0.5])}, "propensities: row 1 is 0; what was logged must have had a probability above 0"),
        ({"propensities": np.array([0.5, 0.5, 1.2])}, "propensities: row 2 is 1.2; a probability is between 0 and 1"),
        ({"propensities": np.array([np.nan, 0.5, np.nan])}, r"propensities: row 0 is nan \(2 rows are like that\); it must be a number"),
        ({"probabilities": np.array([0.5, -0.1, 0.5])}, "probabilities: row 1 is -0.1"),
        ({"probabilities": np.ones(2)}, r"probabilities must have the shape of rewards, \[3\], not \[2\]"),
        ({"rewards": np.array([1.0, np.inf, 1.0])}, "rewards: row 1 is inf"),
        ({"predicted": np.ones(3)}, "predicted and expected are of one reward model: give both or neither"),
        ({"rewards": np.ones(0), "propensities": np.ones(0), "probabilities": np.ones(0)}, "the log is empty"),
    ],
)
def test_a_log_that_cannot_be_used_is_refused_with_its_row(wrong, message):
    with pytest.raises(DataError, match=message):
        SingleItemLog(**GOOD | wrong)


def test_estimators_that_need_a_model_say_so():
    with pytest.raises(DataError, match="needs a reward model"):
        single_items.doubly_robust(SingleItemLog(**GOOD))
