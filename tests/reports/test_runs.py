"""Runs are found at any depth, and their settings are those in which they differ."""

import pytest

from recframe.reports import SweepError, find_runs
from recframe.reports.runs import parse_overrides


def settings(tmp_path):
    return {run.name: run.settings for run in find_runs(tmp_path).runs}


def test_overrides_are_parsed_and_labels_left_out():
    given = [
        "agent=dqn",
        "+a.b=1",
        "++c=x=y",
        "~reward.diversity",
        "~d=1",
        "seed=3",
        "name=foo",
        "hydra.run.dir=x",
        "logger.wandb.mode=online",
    ]
    assert parse_overrides(given) == {"agent": "dqn", "a.b": "1", "c": "x=y", "reward.diversity": "(removed)", "d": "(removed)"}


def test_runs_come_in_natural_order_at_any_depth(make_run, tmp_path):
    for name in ("10", "2", "1", "other/0"):
        make_run(name, 0, 1.0)
    assert [run.name for run in find_runs(tmp_path).runs] == ["1", "2", "10", "other/0"]


def test_folders_inside_a_run_are_not_runs(make_run, tmp_path):
    files = make_run("0", 0, 1.0) / "wandb" / "run-1" / "files"
    files.mkdir(parents=True)
    (files / "config.yaml").write_text("a: 1")
    (files / "overrides.yaml").write_text("[]")
    assert [run.name for run in find_runs(tmp_path).runs] == ["0"]


def test_a_single_run_can_be_reported(make_run):
    (run,) = find_runs(make_run("alone", 4, 1.0)).runs
    assert (run.name, run.result["seed"]) == ("alone", 4)


def test_runs_without_a_result_are_named_with_the_reason(make_run, tmp_path):
    make_run("0", 0, 1.0)
    make_run("1", 1, None)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "run.log").write_text("refused")
    (make_run("3", 1, 1.0) / "result.json").write_text("{")
    sweep = find_runs(tmp_path)
    assert [run.name for run in sweep.runs] == ["0"]
    reasons = {run.name: run.reason for run in sweep.unfinished}
    assert reasons["1"] == "stopped before its first step; see its run.log"
    assert reasons["2"] == "did not start; see its run.log"
    assert "not JSON" in reasons["3"]


def test_a_folder_without_runs_is_refused(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("somebody: else")
    with pytest.raises(SweepError, match="no run was found in or below it"):
        find_runs(tmp_path)
    with pytest.raises(SweepError, match="there is no such folder"):
        find_runs(tmp_path / "gone")


def test_only_overrides_that_differ_are_settings(make_run, tmp_path):
    make_run("0", 0, 1.0, ["trainer.env_steps=10", "agent.gamma=0.5", "name=a"])
    make_run("1", 1, 1.0, ["trainer.env_steps=10", "agent.gamma=0.9", "name=b"])
    assert settings(tmp_path) == {"0": {"agent.gamma": "0.5"}, "1": {"agent.gamma": "0.9"}}


def test_an_override_has_its_value_in_the_config(make_run, tmp_path):
    make_run("0", 0, 1.0, ["agent.rate=1e-3", "agent=dqn"], {"agent.rate": 0.001, "agent.name": "dqn"})
    make_run("1", 0, 1.0, ["agent.rate=0.001"], {"agent.rate": 0.001, "agent.name": "dqn"})
    make_run("2", 0, 1.0, ["agent=random"], {"agent.name": "random"})
    assert settings(tmp_path)["0"] == settings(tmp_path)["1"] == {"agent.rate": "0.001", "agent": "dqn"}
    assert settings(tmp_path)["2"] == {"agent": "random"}


def test_falsy_values_are_values(make_run, tmp_path):
    make_run("0", 0, 1.0, ["agent.path=''"], {"agent.path": ""})
    make_run("1", 0, 1.0, ["agent.path=x"], {"agent.path": "x"})
    assert settings(tmp_path) == {"0": {"agent.path": ""}, "1": {"agent.path": "x"}}


def test_a_config_value_that_differs_without_an_override_is_a_setting(make_run, tmp_path):
    make_run("0", 0, 1.0, config={"agent.gamma": 0.5, "agent.depth": 2})
    make_run("1", 1, 1.0, config={"agent.gamma": 0.9, "agent.depth": 2})
    assert settings(tmp_path) == {"0": {"agent.gamma": "0.5"}, "1": {"agent.gamma": "0.9"}}


def test_values_that_equal_the_seed_are_not_settings(make_run, tmp_path):
    for seed in (3, 4):
        make_run(str(seed), seed, 1.0, config={"environment.seed": seed, "name": f"run {seed}"})
    assert settings(tmp_path) == {"3": {}, "4": {}}


def test_a_config_group_is_named_by_the_chosen_file(make_run, tmp_path):
    presets = {"ppo": 0.95, "a2c": 1.0}
    for place, (agent, gae) in enumerate(presets.items()):
        folder = make_run(str(place), 0, 1.0, [f"agent={agent}"], {"agent.name": "actor_critic", "agent.gae_lambda": gae})
        (folder / "choices.yaml").write_text(f"agent: {agent}\nexperiment: null\n")
    folder = make_run("2", 0, 1.0, [], {"agent.name": "dqn"})
    (folder / "choices.yaml").write_text("agent: dqn\nexperiment: null\n")
    assert settings(tmp_path) == {"0": {"agent": "ppo"}, "1": {"agent": "a2c"}, "2": {"agent": "dqn"}}


def test_a_run_without_a_record_of_choices_is_named_by_its_override(make_run, tmp_path):
    make_run("0", 0, 1.0, ["agent=ppo"], {"agent.name": "actor_critic"})
    make_run("1", 0, 1.0, [], {"agent.name": "dqn"})
    assert settings(tmp_path) == {"0": {"agent": "ppo"}, "1": {"agent": "dqn"}}


def test_an_experiment_is_named_by_its_file(make_run, tmp_path):
    for place, experiment in enumerate(["cartpole", "null"]):
        folder = make_run(str(place), 0, 1.0, [] if experiment == "null" else [f"experiment={experiment}"], {"agent.name": "dqn"})
        (folder / "choices.yaml").write_text(f"experiment: {experiment}\n")
    assert settings(tmp_path) == {"0": {"experiment": "cartpole"}, "1": {"experiment": "-"}}


def test_runs_with_the_same_settings_and_seed_are_told_apart_by_their_names(make_run, tmp_path):
    make_run("0", 0, 1.0, [], {"name": "first"})
    make_run("1", 0, 2.0, [], {"name": "second"})
    make_run("2", 1, 3.0)
    assert settings(tmp_path) == {"0": {"name": "first"}, "1": {"name": "second"}, "2": {"name": "(no name)"}}


def test_names_that_differ_between_seeds_only_are_no_setting(make_run, tmp_path):
    make_run("0", 0, 1.0, [], {"name": "first"})
    make_run("1", 1, 2.0, [], {"name": "second"})
    assert settings(tmp_path) == {"0": {}, "1": {}}
