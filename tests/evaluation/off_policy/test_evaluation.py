"""Policies evaluated from a log of decisions or of sessions, from interactions to a table."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recframe.evaluation.off_policy.decisions import LoggedDecisions, judged_decisions, logged_decisions
from recframe.evaluation.off_policy.evaluation import LOGGING, Bounds, evaluate_off_policy
from recframe.evaluation.off_policy.policies import epsilon_greedy_policy, fixed_policy, softmax, softmax_policy
from recframe.evaluation.off_policy.session_evaluation import evaluate_sessions_off_policy, sessions_of
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.interfaces import Interactions
from recframe.interfaces.data import DataError

ITEMS = 5


@pytest.fixture(scope="module")
def world():
    """A log of a softmax policy over two kinds of contexts, 200 people with 10 decisions each, and the rates of clicks `[2, 5]`."""
    generator = np.random.default_rng(0)
    rates = generator.uniform(0.1, 0.9, (2, ITEMS))
    kind = generator.integers(2, size=2_000)
    contexts = np.eye(2)[kind] + 0.1 * generator.normal(size=(2_000, 2))
    logging = softmax(generator.normal(size=(2, ITEMS)) * 0.5)
    actions = (logging[kind].cumsum(axis=1) < generator.random((2_000, 1))).sum(axis=1)
    rewards = (generator.random(2_000) < rates[kind, actions]) * 1.0
    people = np.repeat(np.arange(200), 10)
    log = LoggedDecisions(
        actions,
        rewards,
        logging[kind, actions],
        people,
        ITEMS,
        sessions=np.arange(2_000) // 5,
        contexts=contexts,
        logging=lambda rows: logging[kind[rows]],
    )
    return log, rates, kind


def values_of(metrics):
    return {name: one["mean"] for name, one in metrics.items()}


def test_every_estimator_finds_the_value_of_another_policy(world):
    log, rates, kind = world
    target = softmax(3 * rates)
    truth = (target * rates).sum(axis=1)[kind].mean()
    clusters = clusters_of(rates.T, 4)
    result = evaluate_off_policy(log, {"better": softmax_policy(lambda rows: 3 * rates[kind[rows]])}, clusters=clusters)
    found = result.policies["better"]
    expected = {"dm", "ips", "clipped_ips", "snips", "dr", "sndr", "switch_dr", "mips"}
    assert set(found) == {"value", *(f"value/{name}" for name in expected)}
    assert {name: value for name, value in values_of(found).items() if abs(value - truth) > 0.06} == {}
    assert found["value"]["low"] < truth < found["value"]["high"]
    assert found["value"]["n"] == 200
    assert result.chosen["better"] in {"dr", "switch_dr", "dm"}
    assert result.caveats == []
    assert json.loads(json.dumps(result.diagnostics))["better"]["people"] == 200


def test_the_logging_policy_is_worth_the_mean_of_its_log(world):
    log, _, _ = world
    result = evaluate_off_policy(log, {"same": log.logging})
    assert result.policies[LOGGING]["value"]["mean"] == pytest.approx(log.rewards.mean())
    for name in ("ips", "snips"):
        assert result.policies["same"][f"value/{name}"]["mean"] == pytest.approx(log.rewards.mean())
    assert result.diagnostics["same"]["effective_rows"] == pytest.approx(2_000)


def test_the_interval_of_the_value_holds_the_value_and_that_of_dr(world):
    log, rates, kind = world
    for choose in ("least_error", "slope"):
        found = evaluate_off_policy(log, {"p": epsilon_greedy_policy(lambda rows: rates[kind[rows]], 0.1)}, choose=choose).policies["p"]
        assert found["value"]["low"] <= min(found["value"]["mean"], found["value/dr"]["low"])
        assert found["value"]["high"] >= max(found["value"]["mean"], found["value/dr"]["high"])


def test_pas_if_chooses_among_all_estimators(world):
    log, rates, kind = world
    small = log.rows(np.arange(600))
    result = evaluate_off_policy(small, {"p": softmax_policy(lambda rows: 2 * rates[kind[rows]])}, choose="pas_if")
    chosen = result.chosen["p"]
    assert chosen in {"dm", "snips", "dr", "sndr", "switch_dr"}
    assert result.policies["p"]["value"]["mean"] == result.policies["p"][f"value/{chosen}"]["mean"]


def test_concentration_intervals_are_added_if_bounds_are_known(world):
    log, rates, kind = world
    result = evaluate_off_policy(log, {"p": softmax_policy(lambda rows: 2 * rates[kind[rows]])}, bounds=Bounds(0.0, 1.0, 10.0))
    found = result.policies["p"]
    for name in ("value/ips_hoeffding", "value/ips_bernstein"):
        assert found[name]["mean"] == pytest.approx(found["value/ips"]["mean"])
        assert found[name]["high"] - found[name]["low"] > found["value/ips"]["high"] - found["value/ips"]["low"]


def test_items_that_were_never_logged_are_a_caveat():
    generator = np.random.default_rng(0)
    log = LoggedDecisions(
        generator.integers(2, size=400),
        generator.integers(2, size=400) * 1.0,
        np.full(400, 0.5),
        np.arange(400),
        3,
        logging=fixed_policy(np.array([0.5, 0.5, 0.0])),
    )
    result = evaluate_off_policy(log, {"other": fixed_policy(np.array([0.25, 0.25, 0.5]))})
    assert result.diagnostics["other"]["unlogged"] == pytest.approx(0.5)
    assert result.diagnostics["other"]["impossible"] == pytest.approx(0.5)
    assert [sentence for sentence in result.caveats if "logging policy never would" in sentence]
    assert [sentence for sentence in result.caveats if "none of the 400 decisions has shown" in sentence]
    assert [sentence for sentence in result.caveats if sentence.startswith("other (0.500, ") and "mean weight" in sentence]


def test_rewards_that_are_all_equal_are_a_caveat(world):
    log = LoggedDecisions(np.zeros(50, dtype=int), np.zeros(50), np.ones(50), np.arange(50), 1)
    result = evaluate_off_policy(log, {"only": fixed_policy(np.ones(1))})
    assert result.caveats[0] == "All 50 logged rewards are 0: no policy can be told from another by this log."


def test_a_policy_is_asked_in_chunks(world, monkeypatch):
    log, rates, kind = world
    asked = []

    def policy(rows):
        asked.append(len(rows))
        return softmax(rates[kind[rows]])

    whole = judged_decisions(log, policy).log.probabilities
    monkeypatch.setattr("recframe.evaluation.off_policy.decisions.CHUNK_ELEMENTS", ITEMS * 300)
    asked.clear()
    np.testing.assert_array_equal(judged_decisions(log, policy).log.probabilities, whole)
    assert max(asked) == 300
    assert sum(asked) == 2_000


def test_returns_of_sessions_are_estimated_by_every_sequential_estimator(world):
    log, rates, kind = world
    target = softmax(2 * rates)
    truth = 5 * (target * rates).sum(axis=1)[kind].mean()
    result = evaluate_sessions_off_policy(log, {"better": softmax_policy(lambda rows: 2 * rates[kind[rows]])}, num_states=2)
    found = result.policies["better"]
    names = {"is", "weighted_is", "per_decision_is", "weighted_per_decision_is", "dr", "weighted_dr", "fitted_q", "marginalised_is"}
    assert set(found) == {"return", *(f"return/{name}" for name in names)}
    # intervals of 95 %, of estimators that share their data: one may miss
    assert sum(not one["low"] < truth < one["high"] for one in found.values()) <= 1
    for name in ("return", "return/weighted_is", "return/dr", "return/fitted_q"):
        assert found[name]["mean"] == pytest.approx(truth, abs=0.15)
    assert any(sentence.startswith("better (23 of 400 sessions): the effective sample size") for sentence in result.caveats)
    sums = log.rewards.reshape(-1, 5).sum(axis=1)
    assert result.policies[LOGGING]["return"]["mean"] == pytest.approx(sums.mean())
    assert result.diagnostics["better"]["rows"] == 400


def test_estimators_of_whole_states_are_left_out_where_the_context_is_not_one(world):
    log, rates, kind = world
    policies = {"better": softmax_policy(lambda rows: 2 * rates[kind[rows]])}
    whole, part = (evaluate_sessions_off_policy(log, policies, num_states=2, markov=markov).policies["better"] for markov in (True, False))
    assert whole.keys() - part.keys() == {"return/fitted_q", "return/marginalised_is"}
    assert part == {name: one for name, one in whole.items() if name in part}


def test_an_estimate_outside_the_range_of_the_logged_rewards_has_a_caveat():
    """Few rows with large weights, all of them clicks: the estimate is above 1, which no mean of clicks is."""
    rewards = np.array([1.0] * 5 + [0.0] * 95)
    actions = np.array([1] * 5 + [0] * 95)
    log = LoggedDecisions(actions, rewards, np.where(actions == 1, 0.02, 0.98), np.arange(100), 2)
    result = evaluate_off_policy(log, {"other": fixed_policy([0.0, 1.0]), "same": fixed_policy([0.98, 0.02])})
    assert result.logged == (0.0, 1.0)
    assert result.policies["other"]["value"]["mean"] > 1.01
    flagged = [sentence for sentence in result.caveats if "is outside the range of the logged rewards, 0 to 1" in sentence]
    value = result.policies["other"]["value"]["mean"]
    assert [sentence.partition(":")[0] for sentence in flagged] == [f"other ({value:.4g})"]


def test_an_estimate_that_is_not_shown_is_not_said_to_be_outside_the_range():
    log = LoggedDecisions(np.zeros(60, dtype=int), np.arange(60) / 60 + 1.0, np.ones(60), np.arange(60), 2)
    policies = {"other": fixed_policy([0.0, 1.0]), "another": fixed_policy([0.0, 1.0])}
    (caveat,) = evaluate_off_policy(log, policies).caveats
    assert caveat.startswith("other, another: the policy never does what was logged")


def test_a_return_that_no_logged_session_had_is_possible_and_has_no_caveat_of_the_range():
    """An item that is seldom shown is nearly always clicked: a policy that shows it earns more than the best logged session."""
    generator = np.random.default_rng(0)
    shares, rates = np.array([0.45, 0.4, 0.15]), np.array([0.0, 0.05, 0.95])
    actions = generator.choice(3, size=400 * 8, p=shares)
    rewards = (generator.random(len(actions)) < rates[actions]).astype(float)
    sessions = np.repeat(np.arange(400), 8)
    log = LoggedDecisions(actions, rewards, shares[actions], sessions, 3, sessions=sessions)
    better = np.array([0.02, 0.08, 0.9])
    result = evaluate_sessions_off_policy(log, {"better": fixed_policy(better)})
    value = result.policies["better"]["return"]["mean"]
    assert result.logged[1] < value < 8
    assert value == pytest.approx(8 * better @ rates, abs=1)
    assert not [sentence for sentence in result.caveats if "outside the range" in sentence]


def test_the_range_of_returns_is_that_of_logged_sessions(world):
    log, rates, kind = world
    result = evaluate_sessions_off_policy(log, {"same": softmax_policy(lambda rows: rates[kind[rows]])}, num_states=2)
    sums = log.rewards.reshape(-1, 5).sum(axis=1)
    assert result.logged == (sums.min(), sums.max())


def test_sessions_are_found_in_rows_of_any_order():
    found = sessions_of(np.array([7, 3, 7, 7, 3]), np.array([1, 2, 1, 1, 2]))
    assert found.rows.tolist() == [[1, 4, 0], [0, 2, 3]]
    assert found.lengths.tolist() == [2, 3]
    assert found.people.tolist() == [2, 1]
    assert found.steps.tolist() == [0, 0, 1, 2, 1]
    with pytest.raises(DataError, match="the session of row 2 has rows of several people"):
        sessions_of(np.array([0, 0, 0]), np.array([1, 1, 2]))


def frame(**changed):
    columns = {
        "user": [0, 0, 1],
        "item": [2, 0, 1],
        "timestamp": [1, 2, 3],
        "click": [1.0, 0.0, 1.0],
        "propensity": [0.5, 0.2, 0.3],
        "position": [1, 2, 1],
        "session": [0, 0, 0],
        "age": [20, 30, 40],
        "affinity": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]],
    }
    return Interactions(pl.DataFrame({k: v for k, v in (columns | changed).items() if v is not None}), ("click",), source="log.csv")


def test_decisions_are_read_from_interactions():
    found = logged_decisions(frame(), 3, "click", session="session", features=("age", "affinity"))
    assert found.actions.tolist() == [2, 0, 1]
    assert found.rewards.tolist() == [1, 0, 1]
    assert found.propensities.tolist() == [0.5, 0.2, 0.3]
    # sessions of one number of different people are different
    assert found.sessions[0] == found.sessions[1] != found.sessions[2]
    assert found.contexts.tolist() == [[20, 0.1, 0.2], [30, 0.3, 0.4], [40, 0.5, 0.6]]
    # the position is known before the decision: it is part of the context
    assert logged_decisions(frame(), 3, "click", features=("position",)).contexts.tolist() == [[1], [2], [1]]


def test_the_features_of_interactions_are_the_context_unless_columns_are_named():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    interactions = replace(frame(), features=features)
    assert logged_decisions(interactions, 3, "click").contexts.tolist() == features.tolist()
    assert logged_decisions(interactions, 3, "click", features=("age",)).contexts.tolist() == [[20], [30], [40]]
    assert logged_decisions(frame(), 3, "click").contexts is None


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({"propensity": None}, {}, "log.csv: there is no column 'propensity' with the probability of each logged item"),
        ({"click": [1.0, None, 0.0]}, {}, "log.csv: column 'click' has no value in row 1"),
        ({}, {"features": ("height",)}, "log.csv: there is no column 'height'; there are user, item"),
        ({"age": [1.0, float("nan"), 2.0]}, {"features": ("age",)}, "the context in row 1 is not a number"),
        ({"item": [0, 7, 1]}, {}, "actions: row 1 is 7; items are numbers from 0 to 2"),
    ],
)
def test_interactions_that_cannot_be_used_are_refused(changed, options, message):
    with pytest.raises(DataError, match=message):
        logged_decisions(frame(**changed), 3, "click", **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda log: evaluate_off_policy(log, {LOGGING: log.logging}), "'logging' stands for the policy that chose"),
        (lambda log: evaluate_off_policy(log, {"p": lambda rows: np.ones((len(rows), 2))}), r"must be \[rows, items\]"),
        (lambda log: evaluate_off_policy(log, {"p": lambda rows: np.full((len(rows), ITEMS), 0.3)}), "in row 0 they sum to 1.5"),
        (lambda log: evaluate_sessions_off_policy(_without(log), {}), "the log has no sessions"),
        (lambda log: evaluate_off_policy(_without(log), {}, choose="pas_if"), "needs the logging policy's probabilities"),
        (
            lambda log: evaluate_sessions_off_policy(log, {}, items=np.ones((ITEMS, 100))),
            "2 context and 100 item features have 404 products",
        ),
    ],
)
def test_evaluations_that_cannot_be_made_are_refused(world, call, message):
    with pytest.raises(DataError, match=message):
        call(world[0])


def _without(log):
    return LoggedDecisions(log.actions, log.rewards, log.propensities, log.people, ITEMS)


def test_parts_of_different_lengths_are_named():
    with pytest.raises(DataError, match="actions: 2, rewards: 3, propensities: 2, people: 2"):
        LoggedDecisions(np.zeros(2, dtype=int), np.ones(3), np.ones(2), np.zeros(2, dtype=int), 1)
