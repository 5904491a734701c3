"""The classic-control benchmark: it reads both libraries' runs, and keeps the weights of the best evaluation."""

from __future__ import annotations

import copy
import importlib
import json
from dataclasses import replace

import pytest

from recframe.errors import UserError
from recframe.tracking import RunFolder, write_result


@pytest.fixture
def load(project_root, monkeypatch):
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def runs(load):
    return load("classic_control_runs")


def a_run(runs, **changes):
    return replace(runs.Run("dqn", "recframe", "CartPole-v1", 0, 200.0, 128, [(10, 100.0), (20, 150.0)]), **changes)


@pytest.mark.parametrize(
    ("settings", "agent"),
    [
        ({"agent.name": "dqn"}, "dqn"),
        ({"agent.name": "actor_critic", "agent.clip_range": "null"}, "actor_critic"),
        ({"agent.name": "actor_critic", "agent.clip_range": "0.2"}, "ppo"),
        ({"agent.name": "ddpg", "agent.critics": "1"}, "ddpg"),
        ({"agent.name": "ddpg", "agent.critics": "2"}, "td3"),
    ],
)
def test_ppo_and_td3_are_recognised_by_their_settings(runs, settings, agent):
    assert runs.agent_of(settings) == agent


def test_the_mean_curve_has_the_steps_that_all_curves_have(runs):
    assert runs.mean_curve([[(10, 1.0), (20, 2.0), (30, 9.0)], [(10, 3.0), (20, 6.0)]]) == [(10, 2.0, 1.0, 3.0), (20, 4.0, 2.0, 6.0)]


def test_runs_are_grouped_by_agent_in_order_and_sorted_by_seed(runs):
    found = runs.by_agent([a_run(runs, agent="td3"), a_run(runs, seed=1), a_run(runs, seed=0), a_run(runs, library=runs.THEIRS)])
    assert list(found) == [("dqn", runs.OURS), ("dqn", runs.THEIRS), ("td3", runs.OURS)]
    assert [run.seed for run in found["dqn", runs.OURS]] == [0, 1]


def test_two_runs_with_the_same_seed_are_an_error(runs):
    with pytest.raises(UserError, match=r"recframe's dqn: seeds \[0, 0\]"):
        runs.by_agent([a_run(runs), a_run(runs)])


def test_the_table_has_an_interval_over_seeds_and_marks_missing_values(runs):
    five = [a_run(runs, seed=seed, mean_return=100.0 + seed) for seed in range(5)]
    reference = a_run(runs, library=runs.THEIRS, seed=1, mean_return=7.0)
    *_, ours, theirs = runs.table([*five, reference], {("dqn", runs.OURS): 1234.5}).splitlines()
    # 102 +- 2.776 * 1.5811 / sqrt(5)
    assert ours == "| `dqn` | recframe | 100.0 | 101.0 | 102.0 | 103.0 | 104.0 | 102.0 [100.0, 104.0] | 150.0 (150.0 to 150.0) | 1,234 |"
    assert theirs == "| `dqn` | stable-baselines3 | - | 7.0 | - | - | - | - | 150.0 (150.0 to 150.0) | - |"


def test_runs_of_both_libraries_are_read(runs, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with RunFolder.create(ours / "0") as folder:
        config = {"seed": 3, "environment": {"id": "Pendulum-v1"}, "agent": {"name": "ddpg", "critics": 2}}
        folder.write_config(config, ["seed=3"])
        trained = {"return": {"mean": -150.0, "low": -160.0, "high": -140.0, "n": 128}}
        write_result(ours / "0", objective=-150.0, seed=3, env_steps=20, seconds=1.0, policies={"trained": trained})
    (ours / "0" / "metrics.csv").write_text("env_steps,loss/q,eval/return\n5,0.5,\n10,,-900.0\n15,0.25,\n20,,-200.5\n")
    theirs.mkdir()
    run = {"algorithm": "td3", "environment": "Pendulum-v1", "seed": 4, "curve": [[10, -1000.0]], "best": [-100.0, -200.0]}
    (theirs / "td3-4.json").write_text(json.dumps(run))
    (theirs / "speed_td3.json").write_text(
        json.dumps({"agent": "td3", "env_steps_per_cpu_second": {"recframe": [5, 9, 7], "stable-baselines3": [3]}})
    )
    assert runs.recframe_runs(ours) == [runs.Run("td3", runs.OURS, "Pendulum-v1", 3, -150.0, 128, [(10, -900.0), (20, -200.5)])]
    assert runs.reference_runs(theirs) == [runs.Run("td3", runs.THEIRS, "Pendulum-v1", 4, -150.0, 2, [(10, -1000.0)])]
    assert runs.read_speeds(theirs) == {("td3", runs.OURS): 7, ("td3", runs.THEIRS): 3}


def test_the_same_runs_give_the_same_figure(load, runs, tmp_path):
    draw = load("classic_control_figure").draw
    groups = runs.by_agent([a_run(runs), a_run(runs, seed=1), a_run(runs, library=runs.THEIRS)])
    for name in ("one.svg", "two.svg"):
        draw(groups, tmp_path / name)
    one = (tmp_path / "one.svg").read_bytes()
    assert one.startswith(b"<?xml")
    assert one == (tmp_path / "two.svg").read_bytes()


def test_the_reference_keeps_the_weights_of_its_best_evaluation(load):
    reference = load("classic_control_reference")
    model = reference.A2C("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    seen, returns = [], iter([3.0, 7.0, 5.0])

    def evaluate(model):
        seen.append(copy.deepcopy(model.policy.state_dict()))
        return next(returns)

    evaluations = reference.Evaluations(evaluate, every=10)
    model.learn(30, callback=evaluations)
    assert evaluations.curve == [(10, 3.0), (20, 7.0), (30, 5.0)]
    name = "action_net.weight"
    assert evaluations.best_weights[name].equal(seen[1][name])
    assert not evaluations.best_weights[name].equal(seen[2][name])


def test_the_reference_runs_only_missing_runs(load, tmp_path, monkeypatch):
    reference = load("classic_control_reference")
    monkeypatch.setitem(reference.TASKS, "a2c", replace(reference.TASKS["a2c"], env_steps=20, evaluate_every=10))
    (tmp_path / "a2c-0.json").write_text("kept")
    reference.run_all(tmp_path, ["a2c"], [0, 1], reference.Size(2, 2))
    run = json.loads((tmp_path / "a2c-1.json").read_text())
    assert (tmp_path / "a2c-0.json").read_text() == "kept"
    assert [steps for steps, _ in run["curve"]] == [10, 20]
    assert (len(run["best"]), len(run["last"]), run["seed"], run["env_steps"]) == (2, 2, 1, 20)
