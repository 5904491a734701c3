"""Reward models, clusters of texts, and policies as probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from recframe.evaluation.off_policy import policies
from recframe.evaluation.off_policy.logistic_regression import logistic_regression
from recframe.evaluation.off_policy.reward_models import fit_reward_model, folds_of, item_features
from recframe.evaluation.off_policy.text_clusters import (
    cluster_probabilities,
    clusters_of,
    estimated_cluster_propensities,
    marginalised_ips,
)
from recframe.interfaces.data import DataError


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    contexts, items, actions = generator.normal(size=(300, 3)), generator.normal(size=(6, 2)), generator.integers(6, size=300)
    return generator, contexts, items, actions, folds_of(np.arange(300) % 60, seed=0)


def test_folds_are_of_people_and_equally_large():
    people = np.arange(100) % 20
    folds = folds_of(people, 4)
    assert all(len(np.unique(folds[people == person])) == 1 for person in range(20))
    assert np.bincount(folds).tolist() == [25, 25, 25, 25]
    assert folds_of(np.array([3, 3, 8]), 5).max() == 1


def test_the_ridge_model_is_scikit_learns_on_the_other_folds(rows):
    generator, contexts, items, actions, folds = rows
    rewards = generator.normal(size=300)
    model = fit_reward_model(rewards, actions, contexts, items, folds, penalty=2.0)
    x, z = (np.concatenate([side, np.ones((len(side), 1))], axis=1) for side in (contexts, items))
    design = np.einsum("nx,nz->nxz", x, z[actions]).reshape(300, -1)[:, :-1]
    expected = Ridge(alpha=2.0).fit(design[folds != 1], rewards[folds != 1]).predict(design)
    found = model.predict_logged(actions)
    np.testing.assert_allclose(found[folds == 1], expected[folds == 1], atol=1e-6)
    every = model.predict(np.arange(300))
    np.testing.assert_allclose(every[np.arange(300), actions], found)


def test_the_logistic_model_is_scikit_learns_on_the_other_folds(rows):
    generator, contexts, items, actions, folds = rows
    rewards = (generator.random(300) < 1 / (1 + np.exp(-contexts[:, 0]))) * 1.0
    model = fit_reward_model(rewards, actions, contexts, items, folds, kind="logistic", penalty=0.5)
    x, z = (np.concatenate([side, np.ones((len(side), 1))], axis=1) for side in (contexts, items))
    design = np.einsum("nx,nz->nxz", x, z[actions]).reshape(300, -1)[:, :-1]
    fitted = LogisticRegression(C=2.0, max_iter=1_000).fit(design[folds != 0], rewards[folds != 0])
    found = model.predict_logged(actions)
    np.testing.assert_allclose(found[folds == 0], fitted.predict_proba(design)[folds == 0, 1], atol=1e-6)
    np.testing.assert_allclose(model.predict(np.arange(300))[np.arange(300), actions], found)


def test_a_persons_own_rewards_do_not_change_their_predictions(rows):
    generator, contexts, items, actions, folds = rows
    rewards = generator.normal(size=300)
    changed = np.where(folds == 2, 50.0, rewards)
    before, after = (fit_reward_model(one, actions, contexts, items, folds).predict_logged(actions) for one in (rewards, changed))
    np.testing.assert_allclose(before[folds == 2], after[folds == 2])
    assert not np.allclose(before[folds == 0], after[folds == 0])


def test_rewards_that_are_all_zero_are_predicted_as_a_small_rate(rows):
    _, contexts, items, actions, folds = rows
    found = fit_reward_model(np.zeros(300), actions, contexts, items, folds, kind="logistic").predict_logged(actions)
    np.testing.assert_allclose(found, 0.5 / 241)


def test_reward_models_that_cannot_be_fitted_say_why(rows):
    _, contexts, items, actions, folds = rows
    with pytest.raises(DataError, match="rewards that are 0 or 1; use ridge"):
        fit_reward_model(np.full(300, 0.5), actions, contexts, items, folds, kind="logistic")
    with pytest.raises(DataError, match="at least two folds of people"):
        fit_reward_model(np.ones(300), actions, contexts, items, np.zeros(300, dtype=int))
    with pytest.raises(DataError, match="3 context and 2000 item features have 8,004 products, more than 4,000"):
        fit_reward_model(np.ones(300), actions, contexts, np.ones((6, 2_000)), folds)


def test_items_have_a_feature_each_up_to_512():
    assert item_features(512).shape == (512, 512)
    assert item_features(513).shape == (513, 0)


def test_clusters_are_of_near_texts():
    generator = np.random.default_rng(0)
    vectors = np.concatenate([generator.normal(place, 0.1, (10, 2)) for place in (0, 5, 10)])
    clusters = clusters_of(vectors, 3)
    assert all(len(set(clusters[start : start + 10])) == 1 for start in (0, 10, 20))
    assert len(set(clusters)) == 3
    with pytest.raises(DataError, match="30 vectors can have 1 to 30 clusters, not 31"):
        clusters_of(vectors, 31)


def test_marginalised_ips_is_unbiased_if_rewards_depend_on_the_cluster_only():
    generator = np.random.default_rng(0)
    clusters = np.array([0, 0, 1, 1, 2])
    logging, evaluated = generator.dirichlet(np.ones(5), 2)
    # an item that is never logged: only its cluster needs to be
    logging[0] = 0
    logging /= logging.sum()
    rewards = generator.normal(size=3)[clusters]
    shares = [cluster_probabilities(side, clusters)[clusters] for side in (logging, evaluated)]
    found = marginalised_ips(rewards, *shares)
    assert logging @ found.numerators == pytest.approx(evaluated @ rewards)
    assert cluster_probabilities(logging, clusters).sum() == pytest.approx(1)


def test_marginalised_ips_varies_less_than_ips():
    generator = np.random.default_rng(0)
    clusters = np.arange(100) % 5
    logging, evaluated = generator.dirichlet(np.ones(100), 2)
    shares = [cluster_probabilities(side, clusters)[clusters] for side in (logging, evaluated)]
    of_clusters = logging @ (shares[1] / shares[0]) ** 2
    assert of_clusters < 0.2 * (logging @ (evaluated / logging) ** 2)


def test_estimated_cluster_propensities_approach_the_true_ones():
    generator = np.random.default_rng(0)
    contexts = generator.normal(size=(6_000, 1))
    scores = np.concatenate([contexts, np.zeros((6_000, 1)), -contexts], axis=1)
    truth = policies.softmax(scores)
    clusters = (truth.cumsum(axis=1) < generator.random((6_000, 1))).sum(axis=1)
    folds = folds_of(np.arange(6_000))
    found = estimated_cluster_propensities(clusters, contexts, folds)
    np.testing.assert_allclose(found, truth[np.arange(6_000), clusters], atol=0.04)
    without = estimated_cluster_propensities(clusters, None, folds)
    shares = np.bincount(clusters) / 6_000
    np.testing.assert_allclose(without, shares[clusters], atol=0.02)


scores = st.integers(0, 1_000).map(lambda seed: np.random.default_rng(seed).normal(size=(4, 5)) * 10)


@given(scores, st.floats(0.1, 10))
def test_softmax_follows_its_equation_and_ignores_a_constant(one, temperature):
    expected = np.exp(one / temperature) / np.exp(one / temperature).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(policies.softmax(one, temperature), expected)
    np.testing.assert_allclose(policies.softmax(one + 1_000, temperature), expected)


@given(scores, st.floats(0, 1))
def test_epsilon_greedy_shows_the_best_and_with_epsilon_any(one, epsilon):
    found = policies.epsilon_greedy_probabilities(one, epsilon)
    expected = np.full(one.shape, epsilon / 5)
    expected[np.arange(4), one.argmax(axis=1)] += 1 - epsilon
    np.testing.assert_allclose(found, expected)
    ranking = np.argsort(-one, axis=1)[:, :2]
    np.testing.assert_allclose(policies.epsilon_greedy_of_ranking(ranking, 5, epsilon), expected)


def test_items_that_may_not_be_shown_have_probability_zero():
    one = np.array([[1.0, -np.inf, 3.0]])
    np.testing.assert_allclose(policies.epsilon_greedy_probabilities(one, 0.5), [[0.25, 0, 0.75]])
    assert policies.softmax(one)[0, 1] == 0


def test_policies_answer_for_the_rows_they_are_asked_about():
    table = np.random.default_rng(0).normal(size=(10, 4))
    rows = np.array([7, 2])
    np.testing.assert_allclose(policies.softmax_policy(lambda r: table[r], 2.0)(rows), policies.softmax(table[rows], 2.0))
    np.testing.assert_allclose(
        policies.epsilon_greedy_policy(lambda r: table[r], 0.1)(rows), policies.epsilon_greedy_probabilities(table[rows], 0.1)
    )
    ranking = np.argsort(-table, axis=1)
    np.testing.assert_allclose(policies.ranking_policy(lambda r: ranking[r], 4)(rows), policies.epsilon_greedy_probabilities(table[rows]))
    np.testing.assert_allclose(policies.fixed_policy(np.full(4, 0.25))(rows), np.full((2, 4), 0.25))
    probabilities = policies.softmax(table)
    np.testing.assert_allclose(policies.fixed_policy(probabilities)(rows), probabilities[rows])


def test_plackett_luce_probabilities_follow_their_equation():
    generator = np.random.default_rng(0)
    one, slates = generator.normal(size=(3, 5)), np.array([[0, 1, 2], [4, 0, 3], [2, 3, 1]])
    found = policies.plackett_luce(one, slates)
    for row in range(3):
        left = list(range(5))
        for place, item in enumerate(slates[row]):
            assert found[row, place] == pytest.approx(np.exp(one[row, item]) / np.exp(one[row, left]).sum())
            left.remove(item)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: policies.softmax(np.ones((1, 2)), 0.0), "the temperature must be above 0, not 0"),
        (lambda: policies.softmax(np.full((1, 2), -np.inf)), "no item with a finite score"),
        (lambda: policies.epsilon_greedy_probabilities(np.ones((1, 2)), 1.5), "epsilon must be between 0 and 1, not 1.5"),
        (lambda: policies.epsilon_greedy_probabilities(np.array([[np.nan, 1.0]])), "or one that is not a number"),
        (lambda: policies.epsilon_greedy_of_ranking(np.array([[5]]), 5), "items are numbers from 0 to 4, and the first of a ranking is 5"),
        (lambda: marginalised_ips(np.ones(1), np.zeros(1), np.ones(1)), "clusters must be above 0"),
    ],
)
def test_policies_that_cannot_be_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_vectors_that_are_mostly_equal_have_a_cluster_for_each_different_one(recwarn):
    vectors = np.repeat(np.eye(3), 10, axis=0)
    assert np.unique(clusters_of(vectors, 8)).tolist() == [0, 1, 2]
    assert all(len(np.unique(part)) == 1 for part in np.split(clusters_of(vectors, 8), 3))
    assert not recwarn.list


def test_a_logistic_regression_that_does_not_converge_is_one_sentence_of_ours(recwarn, caplog, monkeypatch):
    monkeypatch.setattr("recframe.evaluation.off_policy.logistic_regression.MOST_ITERATIONS", 2)
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 5)) * np.logspace(0, 4, 5)
    logistic_regression(features, (features[:, 0] + generator.normal(size=200) > 0).astype(int), 1e-6)
    assert not recwarn.list
    assert "stopped after 2 iterations" in caplog.text
