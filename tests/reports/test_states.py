"""Running, stopped, failed, pruned and never started runs are told apart."""

import json
import logging

import pytest

from recframe.reports import NoRuns, State, SweepError, find_runs
from recframe.runner.failures import recorded_failure
from recframe.tracking import RunFolder
from recframe.tracking.early_end import STOPPED_RUN
from recframe.tracking.failure import write_failure


@pytest.fixture
def states(make_run, tmp_path):
    def find():
        return {run.name: (run.state, run.reason) for run in find_runs(tmp_path).unfinished}

    return find


def test_a_run_whose_folder_is_locked_is_running(make_run, tmp_path, states):
    make_run("0", 0, None, ["agent=ppo"])
    with RunFolder.open(tmp_path / "0"):
        assert states()["0"] == (State.RUNNING, "running; see its run.log")
    assert states()["0"][0] is State.STOPPED


def test_looking_does_not_lock(make_run, tmp_path, states):
    make_run("0", 0, None)
    states()
    with RunFolder.open(tmp_path / "0"):
        assert states()["0"][0] is State.RUNNING


def test_a_stopped_run_comes_with_the_command_that_continues_it(make_run, tmp_path, states):
    (make_run("0", 0, None) / "checkpoints").mkdir()
    assert states()["0"] == (State.STOPPED, f"stopped, no result.json; continue it with: recframe train resume={tmp_path / '0'}")


def test_a_run_that_was_stopped_at_a_limit_comes_with_the_limit(make_run, tmp_path, states):
    limit = "it reached sweep.job_timeout=60 (seconds)"
    for name in ("0", "1"):
        STOPPED_RUN.write(make_run(name, 0, None), limit)
    (tmp_path / "0" / "checkpoints").mkdir()
    assert states() == {
        "0": (State.STOPPED, f"stopped: {limit}; continue it with: recframe train resume={tmp_path / '0'}"),
        "1": (State.STOPPED, f"stopped before its first step: {limit}; see its run.log"),
    }
    # the run goes on, and is stopped by hand
    with recorded_failure(tmp_path / "0", logging.NullHandler(), lambda failure: None):
        pass
    assert states()["0"][1].startswith("stopped, no result.json")


def test_a_failed_and_a_pruned_run_come_with_the_reason(make_run, tmp_path, states):
    write_failure(make_run("0", 0, None), "the loss is\nno longer a number", {})
    (make_run("1", 0, None) / "pruned.json").write_text(json.dumps({"status": "pruned", "reason": "its return is below the median"}))
    (make_run("2", 0, None) / "pruned.json").write_text("odd")
    (tmp_path / "3").mkdir()
    write_failure(tmp_path / "3", "refused", {})
    assert states() == {
        "0": (State.FAILED, "failed: the loss is no longer a number"),
        "1": (State.PRUNED, "pruned: its return is below the median"),
        "2": (State.PRUNED, "pruned: other settings do better"),
        "3": (State.FAILED, "failed: refused"),
    }


def test_jobs_of_a_sweep_without_a_folder_have_not_started(make_run, tmp_path, states):
    make_run("0", 0, 1.0, ["agent=ppo"])
    jobs = [{"number": number, "folder": str(number), "overrides": [f"agent={agent}"]} for number, agent in enumerate(("ppo", "dqn"))]
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": 1, "command": [], "jobs": jobs}))
    resume = f"recframe train -m sweep.resume={tmp_path}"
    assert states() == {"1": (State.NOT_STARTED, f"not started; run what is missing with: {resume}")}
    (run,) = find_runs(tmp_path).unfinished
    assert run.overrides == ("agent=dqn",)


def plan(folder, *jobs):
    """Write the sweep.json of jobs with these folders."""
    entries = [{"number": number, "folder": str(job), "overrides": ["agent=ppo"]} for number, job in enumerate(jobs)]
    (folder / "sweep.json").write_text(json.dumps({"schema": 1, "command": [], "jobs": entries}))


def test_jobs_of_sweeps_below_the_folder_have_not_started(make_run, tmp_path):
    make_run("multirun/monday/0", 0, 1.0)
    (tmp_path / "multirun" / "tuesday").mkdir()
    plan(tmp_path / "multirun" / "monday", 0, 1)
    plan(tmp_path / "multirun" / "tuesday", 0)
    sweep = find_runs(tmp_path / "multirun")
    assert [run.name for run in sweep.runs] == ["monday/0"]
    assert [(run.name, run.state) for run in sweep.unfinished] == [("monday/1", State.NOT_STARTED), ("tuesday/0", State.NOT_STARTED)]
    make_run("runs/alone", 0, 1.0)
    several = find_runs([tmp_path / "runs", tmp_path / "multirun", tmp_path / "multirun" / "tuesday"])
    assert [run.name for run in several.unfinished] == ["multirun/monday/1", "multirun/tuesday/0"]


def test_jobs_in_folders_elsewhere_are_named_by_their_paths_and_may_have_started(make_run, tmp_path):
    make_run("elsewhere/0", 0, 1.0)
    make_run("sweep/1", 0, 1.0)
    plan(tmp_path / "sweep", tmp_path / "elsewhere" / "0", 1, tmp_path / "elsewhere" / "2")
    assert [run.name for run in find_runs(tmp_path / "sweep").unfinished] == [str(tmp_path / "elsewhere" / "2")]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"jobs": 3}', '{"jobs": [{"number": 0}]}', '{"jobs": [{"folder": "\\u0000", "overrides": []}]}']
)
def test_a_damaged_list_of_jobs_does_not_end_the_report(make_run, tmp_path, content):
    make_run("0", 0, 1.0)
    (tmp_path / "sweep.json").write_text(content)
    assert [run.name for run in find_runs(tmp_path).runs] == ["0"]


def test_a_value_of_which_no_run_has_finished_is_a_setting(make_run, tmp_path):
    make_run("0", 0, 1.0, ["agent=ppo"], {"agent.name": "actor_critic"})
    make_run("1", 0, None, ["agent=dqn"], {"agent.name": "dqn"})
    (run,) = find_runs(tmp_path).unfinished
    assert run.settings == {"agent": "dqn"}


def test_several_folders_are_one_report_and_each_run_is_in_it_once(make_run, tmp_path):
    make_run("one/0", 0, 1.0)
    make_run("two/0", 1, 2.0)
    sweep = find_runs([tmp_path / "one", tmp_path / "two", tmp_path / "two" / "0"])
    assert [run.name for run in sweep.runs] == ["one/0", "two/0"]
    assert sweep.title == "one, two, 0"
    with pytest.raises(SweepError, match="there is no such folder"):
        find_runs([tmp_path / "one", tmp_path / "three"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoRuns):
        find_runs(tmp_path / "empty")
