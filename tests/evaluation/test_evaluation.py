"""Evaluations are repeatable, use the same users for all policies, and have no side effects."""

import random

import numpy as np
import torch

from recframe.evaluation.simulated.evaluation import evaluate_policies
from recframe.evaluation.simulated.metrics import policy_means
from recframe.evaluation.simulated.rollout import rollout
from recframe.evaluation.simulated.samples import sample_recommendations
from recframe.references.oracle import OraclePolicy
from recframe.references.popular import PopularPolicy
from recframe.references.random import RandomPolicy


def policies(world):
    spec = world.environment().spec
    return {
        "trained": PopularPolicy(spec, world.catalog.popularity),
        "random": RandomPolicy(spec, 0),
        "oracle": OraclePolicy(world.rewards, spec.slate_size, 1.0),
    }


def run(world, names=("trained", "random", "oracle")):
    chosen = {name: policies(world)[name] for name in names}
    environment = world.environment(num_users=100)
    return evaluate_policies(chosen, environment, world.rewards, world.catalog, seed=8, max_steps=20).policies


def test_all_documented_metrics_are_measured_in_order(world):
    results = run(world)
    documented = ["return", "length", "click_rate", "coverage", "diversity", "novelty", "gini", "reward/click"]
    for metrics in results.values():
        assert list(metrics) == documented
        for metric in metrics.values():
            assert metric["low"] <= metric["mean"] <= metric["high"]
            assert type(metric["n"]) is int
            assert all(type(metric[key]) is float for key in ("mean", "low", "high"))
    assert results["oracle"]["return"]["low"] > results["random"]["return"]["high"]


def test_a_policys_metrics_do_not_depend_on_the_other_policies(world):
    together = run(world)
    assert run(world) == together
    for name in together:
        assert run(world, [name])[name] == together[name]


def test_means_alone_are_those_of_the_metrics_with_intervals(world):
    results = run(world)
    for name, policy in policies(world).items():
        episodes = rollout(policy, world.environment(num_users=100), world.rewards, seed=8, max_steps=20)
        means = policy_means(episodes, world.catalog)
        assert list(means.items()) == [(metric, values["mean"]) for metric, values in results[name].items()]


def test_global_generators_stay_unchanged(world):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    run(world)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_samples_hold_the_turns_of_each_user_in_order(world):
    environment = world.environment(num_users=20, slate_size=2)
    policy = RandomPolicy(environment.spec, 0)
    rows = sample_recommendations(policy, environment, world.rewards, world.data, seed=8, num_users=4, num_turns=6)
    users = environment.reset(8).user[:4].tolist()
    assert list(dict.fromkeys(row.user for row in rows)) == [f"u{user}" for user in users]
    by_user = {name: [row for row in rows if row.user == name] for name in {row.user for row in rows}}
    for session in by_user.values():
        assert [row.turn for row in session] == list(range(1, len(session) + 1))
        shown = []
        for row in session:
            assert row.history == shown[-environment.spec.history_length :]
            assert len(row.recommended) == 2
            assert row.reward in (0.0, 1.0, 2.0)
            shown += row.recommended
    assert max(map(len, by_user.values())) > 1
