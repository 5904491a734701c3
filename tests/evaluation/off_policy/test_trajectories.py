from itertools import product

import numpy as np
import pytest

from recframe.evaluation.off_policy import trajectories
from recframe.evaluation.off_policy.fitted_q import fitted_q_coefficients, fitted_q_values, fitted_returns
from recframe.evaluation.off_policy.logs import TrajectoryLog
from recframe.evaluation.off_policy.marginalised import marginalised, marginalised_values, visitation_ratios
from recframe.interfaces.data import DataError

STATES, ACTIONS, STEPS, DISCOUNT = 2, 2, 3, 0.8


class World:
    """A Markov decision process of two states, two actions and up to three steps, and every session that it can have.

    With probability `quits` of the state and action a session ends. Rewards are `rewards` of state and action, without noise.
    """

    def __init__(self, seed=0, quits=True):
        generator = np.random.default_rng(seed)
        self.first = np.array([0.3, 0.7])
        self.moves = generator.dirichlet(np.ones(STATES), (STATES, ACTIONS))
        self.quits = generator.uniform(0.1, 0.6, (STATES, ACTIONS)) * quits
        self.rewards = generator.normal(size=(STATES, ACTIONS))
        self.logging, self.evaluated = generator.dirichlet(np.ones(ACTIONS) * 2, (2, STATES))
        self._enumerate()

    def _enumerate(self):
        found = []
        for length in range(1, STEPS + 1):
            for states in product(range(STATES), repeat=length):
                for actions in product(range(ACTIONS), repeat=length):
                    probability = self.first[states[0]]
                    for t, (s, a) in enumerate(zip(states, actions, strict=True)):
                        probability *= self.logging[s, a]
                        if t + 1 < length:
                            probability *= (1 - self.quits[s, a]) * self.moves[s, a, states[t + 1]]
                        elif length < STEPS:
                            probability *= self.quits[s, a]
                    padding = [0] * (STEPS - length)
                    found.append(([*states, *padding], [*actions, *padding], length, probability))
        columns = list(zip(*found, strict=True))
        self.states, self.actions, self.lengths, self.probabilities = (np.array(column) for column in columns)

    def log(self, predicted=None, expected=None):
        at = (self.states, self.actions)
        return TrajectoryLog(self.rewards[at], self.logging[at], self.evaluated[at], self.lengths, DISCOUNT, predicted, expected)

    def value(self):
        """The expected return by backward induction."""
        following = np.zeros(STATES)
        for _ in range(STEPS):
            q = self.rewards + DISCOUNT * (1 - self.quits) * (self.moves @ following)
            following = (self.evaluated * q).sum(axis=1)
        return self.first @ following

    def features(self):
        """One-hot features of step, state and action, and their expectation under the evaluated policy."""
        taken = np.zeros((len(self.states), STEPS, STEPS, STATES, ACTIONS))
        expected = np.zeros_like(taken)
        for t in range(STEPS):
            taken[np.arange(len(taken)), t, t, self.states[:, t], self.actions[:, t]] = 1
            expected[np.arange(len(taken)), t, t, self.states[:, t]] = self.evaluated[self.states[:, t]]
        return (side.reshape(len(taken), STEPS, -1) for side in (taken, expected))


@pytest.fixture(params=[True, False], ids=["sessions that end", "sessions of one length"])
def world(request):
    return World(quits=request.param)


def test_all_sessions_together_have_probability_one(world):
    assert world.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("estimator", [trajectories.trajectory_wise, trajectories.per_decision])
def test_importance_sampling_has_the_value_as_expectation(world, estimator):
    assert world.probabilities @ estimator(world.log()).numerators == pytest.approx(world.value())


def test_doubly_robust_has_the_value_as_expectation_whatever_the_model(world):
    q = np.random.default_rng(1).normal(size=(STATES, ACTIONS))
    log = world.log(q[world.states, world.actions], (world.evaluated * q).sum(axis=1)[world.states])
    assert world.probabilities @ trajectories.doubly_robust(log).numerators == pytest.approx(world.value())


def test_doubly_robust_follows_the_recursion_of_jiang_and_li(world):
    q = np.random.default_rng(1).normal(size=(STATES, ACTIONS))
    log = world.log(q[world.states, world.actions], (world.evaluated * q).sum(axis=1)[world.states])
    following = np.zeros(len(world.lengths))
    for t in reversed(range(STEPS)):
        inside = t < world.lengths
        step = log.expected[:, t] + log.ratios[:, t] * (log.rewards[:, t] + DISCOUNT * following - log.predicted[:, t])
        following = np.where(inside, step, 0)
    np.testing.assert_allclose(trajectories.doubly_robust(log).numerators, following)


def test_weighted_versions_follow_their_equations(world):
    q = np.random.default_rng(1).normal(size=(STATES, ACTIONS))
    log = world.log(q[world.states, world.actions], (world.evaluated * q).sum(axis=1)[world.states])
    weights = np.cumprod(log.ratios, axis=1)
    normalised = weights / weights.mean(axis=0)
    before = np.concatenate([np.ones((len(weights), 1)), normalised[:, :-1]], axis=1)
    discounts = DISCOUNT ** np.arange(STEPS)
    returns = (discounts * log.rewards).sum(axis=1)
    assert trajectories.trajectory_wise(log, True).value == pytest.approx((weights[:, -1] * returns).sum() / weights[:, -1].sum())
    assert trajectories.per_decision(log, True).value == pytest.approx((discounts * normalised * log.rewards).sum(axis=1).mean())
    terms = normalised * (log.rewards - log.predicted) + before * log.expected
    assert trajectories.doubly_robust(log, True).value == pytest.approx((discounts * terms).sum(axis=1).mean())


def test_estimates_of_the_logging_policy_are_the_mean_return(world):
    world.evaluated = world.logging
    log = world.log()
    returns = (log.discounts * log.rewards).sum(axis=1).mean()
    for estimator in (trajectories.trajectory_wise, trajectories.per_decision):
        for weighted in (False, True):
            assert estimator(log, weighted).value == pytest.approx(returns)
    assert marginalised(log, visitation_ratios(log, world.states)).value == pytest.approx(returns)


def test_marginalised_importance_sampling_is_exact_on_all_sessions(world):
    assert marginalised_values(world.log(), world.states, world.probabilities[None])[0] == pytest.approx(world.value())


def test_visitation_ratios_are_those_of_the_forward_equations():
    world = World(quits=False)
    ratios = visitation_ratios(world.log(), world.states, world.probabilities[None])[0]
    visits = {}
    for name, policy in (("logging", world.logging), ("evaluated", world.evaluated)):
        visits[name] = [world.first]
        for _ in range(STEPS - 1):
            visits[name].append(np.einsum("s,sa,sat->t", visits[name][-1], policy, world.moves))
    for t in range(STEPS):
        expected = visits["evaluated"][t] / visits["logging"][t]
        inside = world.lengths > t
        np.testing.assert_allclose(ratios[inside, t], expected[world.states[inside, t]])


def test_tabular_fitted_q_evaluation_is_exact_on_all_sessions(world):
    taken, expected = world.features()
    values = fitted_q_values(world.log(), taken, expected, world.probabilities[None], ridge=1e-12)
    assert values[0] == pytest.approx(world.value(), abs=1e-6)


def test_fitted_q_coefficients_solve_the_projected_equation():
    world = World()
    taken, expected = world.features()
    log, penalty = world.log(), 0.5
    theta = fitted_q_coefficients(log, taken, expected, ridge=penalty, iterations=200)[0]
    phi, following, rewards = [], [], []
    for i, length in enumerate(world.lengths):
        for t in range(length):
            phi.append(taken[i, t])
            following.append(expected[i, t + 1] if t + 1 < length else np.zeros(taken.shape[2]))
            rewards.append(log.rewards[i, t])
    phi, following, rewards = np.array(phi), np.array(following), np.array(rewards)
    fixed_point = np.linalg.solve(phi.T @ (phi - DISCOUNT * following) + penalty * np.eye(phi.shape[1]), phi.T @ rewards)
    np.testing.assert_allclose(theta, fixed_point, atol=1e-8)


def test_cross_fitted_returns_do_not_see_their_own_fold():
    world = World()
    taken, expected = world.features()
    folds = np.arange(len(world.lengths)) % 3
    before = fitted_returns(world.log(), taken, expected, folds)
    log = world.log()
    changed = TrajectoryLog(np.where(folds[:, None] == 1, 100.0, log.rewards), log.propensities, log.probabilities, log.lengths, DISCOUNT)
    after = fitted_returns(changed, taken, expected, folds)
    np.testing.assert_allclose(after.predicted[folds == 1], before.predicted[folds == 1])
    assert not np.allclose(after.predicted[folds == 0], before.predicted[folds == 0])


def test_what_stands_after_the_end_of_a_session_is_not_read(world):
    log, at = world.log(), (world.states, world.actions)
    inside = np.arange(STEPS) < world.lengths[:, None]
    arrays = [np.where(inside, values, np.nan) for values in (world.rewards[at], world.logging[at], world.evaluated[at])]
    padded = TrajectoryLog(*arrays, world.lengths, DISCOUNT)
    for name in ("rewards", "propensities", "probabilities"):
        np.testing.assert_array_equal(getattr(log, name), getattr(padded, name))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lengths": np.array([1, 3])}, "a session has 1 to T = 2 steps; lengths are 1 to 3"),
        ({"lengths": np.array([2])}, r"rewards of sessions are \[n, T\] and their lengths \[n\]"),
        ({"discount": 0.0}, "the discount must be above 0 and at most 1, not 0"),
        ({"propensities": np.array([[0.5, 0.0], [1, 1]])}, r"propensities: row \[0, 1\] is 0"),
        ({"predicted": np.ones((2, 2))}, "predicted and expected are of one model of returns"),
    ],
)
def test_a_log_of_sessions_that_cannot_be_used_is_refused(wrong, message):
    good = {name: np.ones((2, 2)) for name in ("rewards", "propensities", "probabilities")} | {"lengths": np.array([2, 2])}
    with pytest.raises(DataError, match=message):
        TrajectoryLog(**good | wrong)


def test_estimators_that_need_a_model_or_features_say_so(world):
    log = world.log()
    with pytest.raises(DataError, match="needs a model of returns"):
        trajectories.doubly_robust(log)
    with pytest.raises(DataError, match=r"features must be \[n, T, F\]"):
        fitted_q_coefficients(log, np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    with pytest.raises(DataError, match="states must have the shape of rewards"):
        visitation_ratios(log, world.states[:, :1])
