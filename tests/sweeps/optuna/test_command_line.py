"""`hydra/sweeper=optuna` on the command line: real runs, mistakes, and named studies."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")

from recframe.config import TRAIN, ConfigError, compose_config, find_mistakes
from recframe.config.compose.study import sweep_files
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError
from recframe.reports.runs import find_runs, group_runs
from recframe.sweeps.optuna.search import objectives_of
from recframe.sweeps.optuna.study import open_storage
from recframe.sweeps.optuna.sweeper import OptunaSweeper

SEARCH = ["train", "-m", "hydra/sweeper=optuna", "hydra.sweep.dir=sweep"]
SMOKE = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false"]


def study(folder: Path) -> dict:
    return json.loads((folder / "sweep" / "study.json").read_text())


@pytest.mark.slow
def test_a_study_of_real_runs_prunes_and_goes_on(warm_recframe, tmp_path):
    # the return is a multiple of the weight, so that the last run is worse than the first at every evaluation
    weights = ["reward.click.weight=1,0.001", "hydra.sweeper.sampler=grid"]
    pruning = ["hydra.sweeper.pruner=median", "hydra.sweeper.pruner_startup_trials=1"]
    done = warm_recframe(*SEARCH, *SMOKE, *weights, *pruning, check=True)
    assert "2 trials: 1 finished, 1 pruned" in done.stdout
    first, second = study(tmp_path)["trials"]
    assert first["values"] == [json.loads((tmp_path / "sweep" / "0" / "result.json").read_text())["objective"]]
    assert second["reason"].startswith("median ended it after evaluation 1, with return")
    pruned = tmp_path / "sweep" / "1"
    assert json.loads((pruned / "pruned.json").read_text()) == {"status": "pruned", "reason": second["reason"]}
    assert not {"result.json", "failure.json"} & {path.name for path in pruned.iterdir()}
    (unfinished,) = find_runs(tmp_path / "sweep").unfinished
    assert unfinished.reason == f"pruned: {second['reason']}"
    before = (tmp_path / "sweep" / "0" / "result.json").stat().st_mtime_ns
    again = warm_recframe("train", "-m", "sweep.resume=sweep", check=True)
    assert "2 trials: 1 finished, 1 pruned" in again.stdout
    # another seed, and another value, whose run is judged by those of the study before
    more = warm_recframe("train", "-m", "sweep.resume=sweep", "seed=0,1", "reward.click.weight=1,0.001,0.002", check=True)
    assert "3 trials: 1 finished, 2 pruned" in more.stdout
    assert (tmp_path / "sweep" / "0" / "result.json").stat().st_mtime_ns == before
    first, second, third = study(tmp_path)["trials"]
    objectives = [json.loads((tmp_path / "sweep" / folder / "result.json").read_text())["objective"] for folder in ("0", "0_seed1")]
    assert first["values"] == [pytest.approx(sum(objectives) / 2)]
    assert second["reason"].startswith("median ended it after evaluation 1")
    assert json.loads((tmp_path / "sweep" / "2_seed0" / "pruned.json").read_text())["reason"] == third["reason"]
    assert [len(group) for group in group_runs(find_runs(tmp_path / "sweep").runs).values()] == [2]
    assert "3 trials: 1 finished, 2 pruned" in warm_recframe("train", "-m", "sweep.resume=sweep", check=True).stdout


def test_an_interval_is_checked_against_the_bounds_of_its_option():
    assert find_mistakes(["agent.gamma=interval(0.9,1.5)"], searched=True) == ["agent.gamma: 1.5 is not allowed; it must be >= 0 and <= 1"]


def test_a_setting_may_be_of_some_choices_only_but_not_of_none():
    setting = "agent.clip_range=interval(0.1,0.2)"
    assert find_mistakes(["agent=dqn,ppo", setting], searched=True) == []
    (line,) = find_mistakes(["agent=dqn,double_dqn", setting], searched=True)
    assert line.startswith("agent.clip_range: agent has no 'clip_range'")


@pytest.fixture(scope="module")
def default_run():
    return compose_config()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"objectives": ["covrage"], "directions": ["max"]},
            "hydra.sweeper.objectives: 'covrage' is not measured. Did you mean 'coverage'?",
        ),
        ({"objectives": ["return", "return"], "directions": ["max", "max"]}, "hydra.sweeper.objectives: a metric is named twice"),
        ({"objectives": ["return", "coverage"]}, "hydra.sweeper.directions: max or min is needed for each of: return, coverage"),
        (
            {"objectives": ["return", "coverage"], "directions": ["max", "max"], "pruner": "median"},
            "hydra.sweeper.pruner=median judges by one objective, and there are 2; use none",
        ),
    ],
)
def test_objectives_that_make_no_sense_are_refused(default_run, settings, line):
    with pytest.raises(ConfigError) as refused:
        objectives_of(OptunaSweeperConfig(**settings), default_run)
    assert any(problem.startswith(line) for problem in refused.value.problems)


def test_the_direction_is_that_of_the_monitored_metric(default_run):
    assert objectives_of(OptunaSweeperConfig(), default_run).directions == ("max",)
    cfg = copy.deepcopy(default_run)
    cfg.trainer.monitor_mode = "min"
    assert objectives_of(OptunaSweeperConfig(objectives=["return"]), cfg).directions == ("min",)


def test_a_database_that_cannot_be_opened_is_named_without_its_password(tmp_path):
    with pytest.raises(UserError, match=r"hydra.sweeper.storage: the database cannot be opened") as refused:
        open_storage("nosuch://user:secret@host/name", tmp_path)
    assert "secret" not in str(refused.value)


def test_named_studies_compose_and_their_settings_go_to_the_command_line(project_root):
    for file in sorted((project_root / "conf" / "study").glob("*.yaml")):
        files = sweep_files([f"study={file.stem}", "agent.gamma=0.5"], None, None, TRAIN)
        assert files.searches, file
        assert files.added, file
        assert not any(text.startswith("agent.gamma=") for text in files.added)
        assert find_mistakes([f"study={file.stem}", *files.added], searched=True) == [], file


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("recframe.sweeps.optuna.sweeper.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"Optuna is not installed; pip install 'recframe\[optuna\]'"):
        OptunaSweeper().setup(hydra_context=None, task_function=None, config=None)


@pytest.mark.evidence
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_search_of_real_runs_goes_on_after_a_signal(tmp_path, number, launcher):
    own = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    space = ["agent=dqn,reinforce", "agent.gamma=interval(0,0.9)", "hydra.sweeper.n_trials=4", "trainer.env_steps=8192"]
    variables = {**os.environ, "RECFRAME_CACHE": str(tmp_path / "cache")}

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "recframe.cli", *arguments]
        # not a pipe, which workers hold open
        with (tmp_path / "told.txt").open("w") as told:
            return subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=told, stderr=told)

    with start(*SEARCH, *SMOKE, *space, *own) as process:
        while not (tmp_path / "sweep" / "2" / "metrics.csv").exists():
            assert process.poll() is None, (tmp_path / "told.txt").read_text()
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(300) == (-number if number == signal.SIGKILL else 128 + number), (tmp_path / "told.txt").read_text()
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweep/*/result.json")}
    with start("train", "-m", "sweep.resume=sweep") as process:
        assert process.wait(500) == 0, (tmp_path / "told.txt").read_text()
    trials = study(tmp_path)["trials"]
    assert [trial["state"] for trial in trials] == ["finished"] * 4
    assert sorted(path.parent.name for path in tmp_path.glob("sweep/*/result.json")) == ["0", "1", "2", "3"]
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
