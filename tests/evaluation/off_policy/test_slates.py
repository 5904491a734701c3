from itertools import permutations, product

import numpy as np
import pytest

from recframe.evaluation.off_policy import slates
from recframe.evaluation.off_policy.logs import SlateLog
from recframe.evaluation.off_policy.policies import plackett_luce
from recframe.interfaces.data import DataError

ITEMS, POSITIONS = 4, 3
ORDERED = np.array(list(permutations(range(ITEMS), POSITIONS)))


@pytest.fixture
def world():
    """All slates of 3 of 4 different items, with the probabilities of two Plackett-Luce policies."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(2, ITEMS)) * [[0.5], [1.5]]
    conditional = [plackett_luce(np.broadcast_to(one, (len(ORDERED), ITEMS)), ORDERED) for one in scores]
    whole = [side.prod(axis=1) for side in conditional]
    marginals = [np.array([[side[ORDERED[:, k] == a].sum() for a in range(ITEMS)] for k in range(POSITIONS)]) for side in whole]
    return generator, conditional, whole, marginals


def log_of(rewards, conditional, marginals):
    places = np.arange(POSITIONS)
    at = [side[places, ORDERED] for side in marginals]
    return SlateLog(rewards, *conditional, *at)


def test_plackett_luce_probabilities_of_all_slates_sum_to_one(world):
    _, _, whole, marginals = world
    assert [side.sum() for side in whole] == pytest.approx([1, 1])
    np.testing.assert_allclose([side.sum(axis=1) for side in marginals], 1)


def test_the_standard_estimator_is_unbiased_for_any_rewards(world):
    generator, conditional, whole, marginals = world
    rewards = generator.normal(size=ORDERED.shape)
    found = slates.standard(log_of(rewards, conditional, marginals))
    assert whole[0] @ found.numerators == pytest.approx(whole[1] @ rewards.sum(axis=1))


def test_the_cascade_estimator_is_unbiased_if_rewards_depend_on_items_above(world):
    generator, conditional, whole, marginals = world
    table = generator.normal(size=(POSITIONS, ITEMS**POSITIONS))
    above = np.cumsum(ORDERED * ITEMS ** np.arange(POSITIONS), axis=1)
    rewards = np.stack([table[k, above[:, k]] for k in range(POSITIONS)], axis=1)
    value = whole[1] @ rewards.sum(axis=1)
    log = log_of(rewards, conditional, marginals)
    assert whole[0] @ slates.cascade(log).numerators == pytest.approx(value)
    assert abs(whole[0] @ slates.independent(log).numerators - value) > 0.01


def test_the_independent_estimator_is_unbiased_if_rewards_depend_on_their_item(world):
    generator, conditional, whole, marginals = world
    rewards = generator.normal(size=(POSITIONS, ITEMS))[np.arange(POSITIONS), ORDERED]
    found = slates.independent(log_of(rewards, conditional, marginals))
    assert whole[0] @ found.numerators == pytest.approx(whole[1] @ rewards.sum(axis=1))


def test_weaker_assumptions_have_a_larger_variance(world):
    generator, conditional, whole, marginals = world
    rewards = 1 + generator.random((POSITIONS, ITEMS))[np.arange(POSITIONS), ORDERED]
    log = log_of(rewards, conditional, marginals)
    variances = [whole[0] @ (f(log).numerators ** 2) for f in (slates.standard, slates.cascade, slates.independent)]
    assert variances[0] > variances[1] > variances[2]


def test_the_pseudo_inverse_is_unbiased_for_slate_rewards_that_are_sums_over_positions(world):
    generator, _, whole, marginals = world
    rewards = generator.normal(size=(POSITIONS, ITEMS))[np.arange(POSITIONS), ORDERED]
    pairs = np.zeros((len(ORDERED), POSITIONS * ITEMS))
    np.put_along_axis(pairs, np.arange(POSITIONS) * ITEMS + ORDERED, 1, axis=1)
    moments = (whole[0][:, None] * pairs).T @ pairs
    weights = slates.pseudo_inverse_weights(ORDERED, np.broadcast_to(marginals[1], (len(ORDERED), POSITIONS, ITEMS)), moments)
    found = slates.pseudo_inverse(SlateLog(rewards), weights)
    assert whole[0] @ found.numerators == pytest.approx(whole[1] @ rewards.sum(axis=1))
    assert whole[0] @ weights == pytest.approx(1)


def test_the_second_moments_of_random_slates_are_those_of_all_slates():
    pairs = np.zeros((len(ORDERED), POSITIONS * ITEMS))
    np.put_along_axis(pairs, np.arange(POSITIONS) * ITEMS + ORDERED, 1, axis=1)
    np.testing.assert_allclose(slates.uniform_second_moments(ITEMS, POSITIONS), pairs.T @ pairs / len(ORDERED), atol=1e-12)


def test_the_pseudo_inverse_of_independent_positions_has_a_closed_form():
    generator = np.random.default_rng(1)
    every = np.array(list(product(range(ITEMS), repeat=POSITIONS)))
    logging, evaluated = generator.dirichlet(np.ones(ITEMS), (2, POSITIONS))
    places = np.arange(POSITIONS)
    at = [side[places, every] for side in (logging, evaluated)]
    log = SlateLog(np.ones(every.shape), marginal_propensities=at[0], marginal_probabilities=at[1])
    pairs = np.zeros((len(every), POSITIONS * ITEMS))
    np.put_along_axis(pairs, places * ITEMS + every, 1, axis=1)
    moments = (at[0].prod(axis=1)[:, None] * pairs).T @ pairs
    general = slates.pseudo_inverse_weights(every, np.broadcast_to(evaluated, (len(every), POSITIONS, ITEMS)), moments)
    np.testing.assert_allclose(slates.factored_weights(log), general, atol=1e-8)


def test_self_normalised_estimates_of_the_logging_policy_are_the_mean(world):
    generator, conditional, _, marginals = world
    rewards = generator.normal(size=ORDERED.shape)
    log = SlateLog(rewards, conditional[0], conditional[0], *(marginals[0][np.arange(POSITIONS), ORDERED],) * 2)
    for estimator in (slates.standard, slates.cascade, slates.independent):
        for self_normalise in (False, True):
            assert estimator(log, self_normalise).value == pytest.approx(rewards.sum(axis=1).mean())


def test_self_normalised_positions_follow_their_equation():
    generator = np.random.default_rng(0)
    rewards, logging, evaluated = generator.uniform(0.1, 1, (3, 20, 2))
    weights = np.cumprod(evaluated / logging, axis=1)
    expected = ((weights * rewards).sum(axis=0) / weights.sum(axis=0)).sum()
    assert slates.cascade(SlateLog(rewards, logging, evaluated), self_normalise=True).value == pytest.approx(expected)


def test_missing_probabilities_are_named():
    log = SlateLog(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(DataError, match="needs marginal_propensities and marginal_probabilities"):
        slates.independent(log)
    with pytest.raises(DataError, match="marginal_propensities and marginal_probabilities are compared with each other"):
        SlateLog(np.ones((2, 2)), marginal_propensities=np.ones((2, 2)))
    with pytest.raises(DataError, match=r"rewards of slates are \[n, K\]"):
        SlateLog(np.ones(2))
    with pytest.raises(DataError, match=r"propensities: row \[1, 0\] is 0"):
        SlateLog(np.ones((2, 2)), np.array([[1, 1], [0, 1.0]]), np.ones((2, 2)))
    with pytest.raises(DataError, match="slates of 3 different items cannot be drawn from 2"):
        slates.uniform_second_moments(2, 3)
