"""A W&B run records what is logged, separately from other runs and without output, and leaves the process as it was."""

import math
import os
import random
import sys

import numpy as np
import pytest
import torch
import wandb

from recframe.built_in_loggers import WandbLoggerConfig
from recframe.interfaces import FinalResults, RunDescription
from recframe.tracking.metrics_csv import CsvMetricsLogger
from recframe.tracking.run_loggers import RunLoggers
from recframe.tracking.wandb_run import TrackingError, WandbRunLogger, wandb_logger

POLICIES = {
    "trained": {"return": {"mean": 2.0, "low": 1.5, "high": 2.5, "n": 64}, "gini": {"mean": None, "low": None, "high": None, "n": 0}},
    "random": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 64}},
}


@pytest.fixture(autouse=True)
def no_wandb_login(monkeypatch, tmp_path):
    for key in [key for key in os.environ if key.startswith("WANDB_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def recorded(folder, read_offline_runs):
    (run,) = read_offline_runs(folder)
    return run


def test_identity_and_config_are_recorded(folder, read_offline_runs):
    config = {"seed": 3, "agent": {"name": "dqn", "hidden": [64, 64], "clip": None}, "reward": {"click": {"weight": 0.5}}}
    WandbRunLogger(
        folder, project="p", entity="team", group="sweep-1", job_type="eval", name="agent=dqn seed=3", tags=["a", "b"], config=config
    ).close()
    run = recorded(folder, read_offline_runs)
    assert (run.project, run.entity, run.group, run.job_type, run.name, run.tags) == (
        *("p", "team", "sweep-1", "eval", "agent=dqn seed=3"),
        ("a", "b"),
    )
    assert {key: run.config[key] for key in config} == config
    assert run.exit_code == 0


def test_metrics_are_recorded_against_env_steps(folder, read_offline_runs):
    tracking = WandbRunLogger(folder)
    tracking.log_metrics({"env_steps": 128.0, "loss": torch.tensor(0.5), "epoch": 0, "step": 9}, step=9)
    tracking.log_metrics({"env_steps": 128, "eval/return": 2.5})
    tracking.log_metrics({"env_steps": 256, "loss": math.nan})
    tracking.log_metrics({"lr-Adam": 0.25}, step=30)
    tracking.close()
    run = recorded(folder, read_offline_runs)
    assert run.step_metrics["*"] == "env_steps"
    rows = [{key: value for key, value in row.items() if key not in ("_timestamp", "_runtime")} for row in run.history]
    assert rows[0] == {"_step": 128, "env_steps": 128, "loss": 0.5, "eval/return": 2.5}
    assert math.isnan(rows[1].pop("loss"))
    assert rows[1] == {"_step": 256, "env_steps": 256, "lr-Adam": 0.25}
    assert len(rows) == 2


def test_results_become_a_table_and_summary_values(folder, read_offline_runs):
    tracking = WandbRunLogger(folder)
    tracking.log_metrics({"env_steps": 10, "loss": 1.0})
    tables = {"final": POLICIES, "cold": {"trained": POLICIES["trained"]}}
    tracking.log_results(FinalResults(tables, {"objective": 2.0, "error": math.nan}))
    tracking.close()
    run = recorded(folder, read_offline_runs)
    assert run.table("policies") == {
        "columns": ["policy", "return", "return/low", "return/high", "gini", "gini/low", "gini/high"],
        "data": [["trained", 2.0, 1.5, 2.5, None, None, None], ["random", 1.0, 0.5, 1.5, None, None, None]],
    }
    assert [row[:2] for row in run.table("cold_policies")["data"]] == [["trained", 2.0]]
    assert {key: value for key, value in run.summary.items() if key.startswith(("final/", "cold/", "objective", "error"))} == {
        "cold/trained/return": 2.0,
        "final/trained/return": 2.0,
        "final/random/return": 1.0,
        "objective": 2.0,
    }


def test_recommendations_become_a_table_of_text(folder, read_offline_runs):
    tracking = WandbRunLogger(folder)
    tracking.log_recommendations(
        [{"user": 4, "history": ["Alien", "Brazil"]}, {"user": 5, "recommended": ("Clue",), "reward": np.float32(0.5)}]
    )
    tracking.close()
    assert recorded(folder, read_offline_runs).table("recommendations") == {
        "columns": ["user", "history", "recommended", "reward"],
        "data": [[4, "Alien, Brazil", None, None], [5, None, "Clue", 0.5]],
    }


def test_hyperparameters_from_lightning_are_added_to_the_config(folder, read_offline_runs):
    tracking = WandbRunLogger(folder, config={"seed": 1})
    tracking.log_hyperparams({"depth": 2})
    tracking.close()
    config = recorded(folder, read_offline_runs).config
    assert (config["seed"], config["depth"]) == (1, 2)


def test_a_failed_run_is_recorded_as_failed(folder, read_offline_runs):
    tracking = WandbRunLogger(folder)
    tracking.close(failed=True)
    tracking.close()
    assert recorded(folder, read_offline_runs).exit_code == 1


def test_two_runs_in_one_process_are_separate(tmp_path, read_offline_runs):
    folders = [tmp_path / name for name in ("one", "two")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        tracking = WandbRunLogger(folder, config={"number": number})
        tracking.log_metrics({"env_steps": 1, "number": number})
        tracking.close()
    runs = [recorded(folder, read_offline_runs) for folder in folders]
    assert runs[0].id != runs[1].id
    assert [run.config["number"] for run in runs] == [0, 1]
    assert [[row["number"] for row in run.history] for run in runs] == [[0], [1]]


def test_another_open_run_is_neither_joined_nor_ended(tmp_path, folder, read_offline_runs):
    theirs = wandb.init(mode="offline", dir=str(tmp_path), settings=wandb.Settings(silent=True, console="off"))
    ours = WandbRunLogger(folder)
    ours.log_metrics({"env_steps": 1, "loss": 1.0})
    ours.close()
    theirs.log({"theirs": 1})
    theirs.finish()
    (other,) = read_offline_runs(tmp_path)
    assert [row["theirs"] for row in other.history] == [1]
    assert [row["loss"] for row in recorded(folder, read_offline_runs).history] == [1]


def test_a_run_keeps_its_id_only_when_resumed(folder, read_offline_runs):
    ids = []
    for resume in (False, True, False):
        tracking = WandbRunLogger(folder, resume=resume)
        ids.append(tracking.version)
        assert (folder / "wandb" / "run_id").read_text().strip() == tracking.version
        tracking.close()
    assert ids[0] == ids[1] != ids[2]
    assert recorded(folder, read_offline_runs).id == ids[2]


def test_a_resumed_run_is_one_offline_run_with_the_whole_history(folder, read_offline_runs):
    csv = CsvMetricsLogger(folder)
    tracking = WandbRunLogger(folder, group="sweep")
    for steps in (10, 20, 30):
        for logger in (csv, tracking):
            logger.log_metrics({"env_steps": steps, "loss": steps / 8})
            logger.log_metrics({"env_steps": steps, "eval/return": 1.5}) if steps == 20 else None
    # the process is killed with a checkpoint at 20; what W&B had not written is lost
    tracking.close(failed=True)
    resumed = wandb_logger(WandbLoggerConfig(), RunDescription(folder, "name", "sweep", {}, resume_at=20, counter="env_steps"))
    resumed.log_metrics({"env_steps": 30, "loss": 9.0})
    resumed.close()
    run = recorded(folder, read_offline_runs)
    assert (run.id, run.group) == (tracking.version, "sweep")
    rows = [{key: value for key, value in row.items() if key not in ("_timestamp", "_runtime")} for row in run.history]
    assert rows == [
        {"_step": 10, "env_steps": 10, "loss": 1.25},
        {"_step": 20, "env_steps": 20, "loss": 2.5, "eval/return": 1.5},
        {"_step": 30, "env_steps": 30, "loss": 9.0},
    ]
    # nothing is lost: the earlier file is aside
    assert len(list((folder / "wandb" / "superseded").glob("offline-run-*/*.wandb"))) == 1


@pytest.mark.parametrize("resume_at", [None, 0])
def test_a_run_that_starts_over_leaves_one_offline_run(folder, read_offline_runs, resume_at):
    WandbRunLogger(folder).close(failed=True)
    wandb_logger(WandbLoggerConfig(), RunDescription(folder, "name", None, {}, resume_at=resume_at, counter="env_steps")).close()
    assert recorded(folder, read_offline_runs).exit_code == 0


def test_without_metrics_csv_the_earlier_offline_run_stays(folder, read_offline_runs):
    WandbRunLogger(folder).close(failed=True)
    wandb_logger(WandbLoggerConfig(), RunDescription(folder, "name", None, {}, resume_at=20, counter="env_steps")).close()
    first, second = read_offline_runs(folder)
    assert first.id == second.id


def test_a_resumed_online_run_logs_what_the_server_lacks(folder, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    logged = []

    class Run:
        id, step = "abc", 20

        def log(self, values, step):
            logged.append((step, values))

        def define_metric(self, *_, **__):
            pass

    monkeypatch.setattr(wandb, "init", lambda **_: Run())
    history = [{"env_steps": steps, "loss": 1.0} for steps in (10, 20, 30)]
    WandbRunLogger(folder, mode="online", resume=True, history=history)
    assert [step for step, _ in logged] == [20, 30]


def test_nothing_is_recorded_if_the_environment_switches_wandb_off(folder, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("W&B was started"))
    description = RunDescription(folder, "name", None, {}, resume_at=None, counter="env_steps")
    with RunLoggers({"wandb": {"mode": "online"}}, description) as loggers:
        loggers.loggers[0].log_metrics({"env_steps": 1, "loss": 1.0})
        loggers.log_results(FinalResults({"final": POLICIES}))
    assert list(folder.iterdir()) == []


def test_tables_are_staged_in_the_runs_folder(folder, tmp_path, monkeypatch, read_offline_runs):
    monkeypatch.setenv("HOME", str(tmp_path / "absent"))
    tracking = WandbRunLogger(folder)
    tracking.log_results(FinalResults({"final": POLICIES}))
    tracking.close()
    assert recorded(folder, read_offline_runs).table("policies")["data"][0][:2] == ["trained", 2.0]
    assert not (tmp_path / "absent").exists()


def test_resuming_a_run_without_a_wandb_run_starts_one(folder, read_offline_runs):
    WandbRunLogger(folder, resume=True).close()
    assert recorded(folder, read_offline_runs).id == (folder / "wandb" / "run_id").read_text().strip()


def test_environment_variables_are_not_changed(folder, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "true")
    before = dict(os.environ)
    tracking = WandbRunLogger(folder)
    assert dict(os.environ) == before
    tracking.close()
    assert dict(os.environ) == before


@pytest.mark.parametrize("how", [ValueError("broken"), wandb.errors.CommError("no route to host\nmore")])
def test_environment_variables_are_not_changed_when_the_start_fails(folder, monkeypatch, how):
    def fail(**_):
        os.environ["WANDB_MODE"] = "dryrun"
        raise how

    before = dict(os.environ)
    monkeypatch.setattr(wandb, "init", fail)
    with pytest.raises(TrackingError, match=r"wandb: the run cannot be started: (broken|no route to host)$"):
        WandbRunLogger(folder)
    assert dict(os.environ) == before


def test_offline_nothing_is_reported_to_wandb(folder, monkeypatch):
    seen = []
    start = wandb.init
    monkeypatch.setattr(
        wandb, "init", lambda **given: (seen.append((os.environ["WANDB_ERROR_REPORTING"], given["mode"])), start(**given))[1]
    )
    WandbRunLogger(folder).close()
    assert seen == [("false", "offline")]


def test_nothing_is_printed(folder, capfd):
    tracking = WandbRunLogger(folder)
    tracking.log_metrics({"env_steps": 20, "loss": 1.0})
    tracking.log_metrics({"env_steps": 10, "loss": 1.0})
    tracking.log_results(FinalResults({"final": POLICIES}))
    tracking.close()
    assert capfd.readouterr() == ("", "")


def test_global_generators_are_not_used(folder):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    tracking = WandbRunLogger(folder)
    tracking.log_results(FinalResults({"final": POLICIES}))
    tracking.close()
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_online_without_a_key_is_refused_before_wandb_starts(folder, monkeypatch, capfd):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("W&B was started, and would have asked at the terminal"))
    with pytest.raises(TrackingError, match="mode=online needs an API key") as caught:
        WandbRunLogger(folder, mode="online")
    message = str(caught.value)
    assert "`wandb login`" in message
    assert "WANDB_API_KEY" in message
    assert "logger.wandb.mode=offline" in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("where", ["WANDB_API_KEY", "netrc"])
def test_online_with_a_key_starts_and_resumes_the_same_run(folder, tmp_path, monkeypatch, where):
    if where == "netrc":
        (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "0" * 40 + "\n")
    else:
        monkeypatch.setenv(where, "0" * 40)
    asked = []

    def unreachable(**given):
        asked.append(given)
        raise wandb.errors.CommError("api.wandb.ai cannot be reached")

    monkeypatch.setattr(wandb, "init", unreachable)
    for resume in (False, True):
        with pytest.raises(TrackingError, match=r"cannot be started: api\.wandb\.ai cannot be reached; or logger\.wandb\.mode=offline"):
            WandbRunLogger(folder, mode="online", resume=resume)
    first, second = asked
    assert first["id"] == second["id"]
    assert (first["resume"], second["resume"]) == (None, "allow")


@pytest.mark.parametrize(("given", "message"), [({"project": "a/b"}, "Invalid project name 'a/b'"), ({"tags": ["x" * 80]}, "Tags must be")])
def test_errors_from_wandb_are_one_line(folder, given, message):
    with pytest.raises(TrackingError, match=message) as caught:
        WandbRunLogger(folder, **given)
    assert "\n" not in str(caught.value)


def test_the_error_for_a_missing_package_says_what_to_do(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackingError, match=r"wandb: cannot be imported .*pip install wandb.*logger=csv"):
        WandbRunLogger(folder)
