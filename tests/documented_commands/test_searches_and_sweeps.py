"""The documented searches, and runs and sweeps that go on: Hydra, the sweepers and the records are the real ones, only training is not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from hydra import compose
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.config import TRAIN
from recframe.config.compose.initialize import initialized
from recframe.runner.results import RunResult
from recframe.sweeps.launchers import register_launchers
from recframe.tracking import RunFolder, read_result, write_result
from tests.documented_commands.collected import Documented
from tests.documented_commands.places import write_own_settings
from tests.documented_commands.training import going_on, launched, searches
from tests.test_docs import runs_of

TRIALS = 2


def learned_at_once(cfg, folder: RunFolder, *_: object) -> RunResult:
    """What a run leaves, without the run: the return is the larger, the nearer its discount is to 1."""
    value = float(cfg.agent.gamma) + cfg.seed
    policies = {"trained": {"return": {"mean": value, "low": value - 1, "high": value + 1, "n": 4}}}
    about = {"objectives": {"return": value, "coverage": 1 - value}, "seed": cfg.seed, "env_steps": 10, "seconds": 1.0}
    return RunResult.of(folder.path, write_result(folder.path, objective=value, policies=policies, **about))


@pytest.fixture
def at_once(here, monkeypatch):
    """Runs that end at once, in an empty folder."""
    import recframe.runner  # noqa: F401

    monkeypatch.setattr(sys.modules["recframe.runner.run"], "_run", learned_at_once)
    return here


@pytest.fixture(scope="module")
def ended(places, tmp_path_factory):
    """A sweep of two jobs, a search of two trials and a run, which have ended, in folders of these names."""
    import recframe.runner  # noqa: F401

    folder = tmp_path_factory.mktemp("ended")
    kinds = {
        "sweep": ["agent.gamma=0,0.9"],
        "search": ["hydra/sweeper=optuna", "agent.gamma=0,0.9", f"hydra.sweeper.n_trials={TRIALS}"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RECFRAME_CACHE", str(places / "cache"))
        patch.setattr(sys, "argv", ["recframe"])
        patch.setattr(sys.modules["recframe.runner.run"], "_run", learned_at_once)
        for kind, words in kinds.items():
            call("-m", *words, f"hydra.sweep.dir={kind}")
        call("hydra.run.dir=run")
    return folder


def call(*words: str) -> str:
    done = CliRunner().invoke(app, ["train", *words])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output


def id_of(command: Documented) -> str:
    return command.line[:100]


GRID = "hydra/sweeper=grid"


@pytest.mark.parametrize("command", [one for one in searches() if GRID in one.words], ids=id_of)
def test_a_study_that_is_a_plain_grid_runs_all_combinations(command, at_once):
    write_own_settings(at_once)
    call("-m", *command.settings, "hydra.sweep.dir=multirun/a")
    assert len(list(Path("multirun/a").glob("*/result.json"))) == 4


@pytest.mark.parametrize("command", [one for one in searches() if GRID not in one.words], ids=id_of)
def test_a_search_makes_its_first_trials(command, at_once):
    pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
    write_own_settings(at_once)
    few = [word for word in command.settings if not word.startswith("hydra.sweeper.n_trials=")]
    said = call("-m", *few, f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweep.dir=multirun/a")
    assert "in study.json" in said
    study = json.loads(Path("multirun/a/study.json").read_text())
    # a grid has queued all its points
    assert [trial["state"] for trial in study["trials"] if trial["state"] != "waiting"] == ["finished"] * TRIALS
    named = {word.partition("=")[0] for word in few if "interval(" in word or "," in word.partition("=")[2].strip("[]")}
    searched = {key for trial in study["trials"] for key in trial["settings"]}
    # what only one of two agents has is searched in its trials alone
    conditional = {"agent.clip_range", "agent.n_step"}
    assert {key for key in named - conditional if key.startswith("agent")} <= searched
    assert not conditional <= named or conditional & searched


@pytest.mark.parametrize("command", [one for one in going_on() if one.words[1] == "-m"], ids=id_of)
def test_a_sweep_goes_on(command, ended, at_once):
    """The guide's commands on a sweep of which a job is missing, or on a search of two trials."""
    is_search = "docs/guide/optuna.md" in command.documents
    folder = command.words[2].partition("=")[2].replace("...", "a")
    shutil.copytree(ended / ("search" if is_search else "sweep"), folder)
    # jobs with a limit, and those of joblib, have processes of their own, in which training would take its time
    if not is_search and not command.launched:
        (Path(folder) / "1" / "result.json").unlink()
    before = (Path(folder) / "0" / "result.json").stat().st_mtime_ns
    more = [word.replace("n_trials=60", f"n_trials={TRIALS + 1}").replace("seed=0,1,2,3,4", "seed=0,1") for word in command.settings[1:]]
    said = call("-m", f"sweep.resume={folder}", *more)
    assert (Path(folder) / "0" / "result.json").stat().st_mtime_ns == before
    jobs = sorted(path.parent.name for path in Path(folder).glob("*/result.json"))
    if is_search and "seed=0,1" in more:
        assert jobs == ["0", "0_seed1", "1", "1_seed1"]
        return
    added = {"seed=0,1": 2, "agent.gamma=0.5": 1, f"hydra.sweeper.n_trials={TRIALS + 1}": 1}
    assert jobs == [str(number) for number in range(TRIALS + sum(added.get(word, 0) for word in more))], said


@pytest.mark.parametrize("command", [one for one in going_on() if one.words[1] != "-m"], ids=id_of)
def test_a_run_goes_on_and_a_finished_one_shows_its_table(command, ended, at_once):
    folder = command.words[1].partition("=")[2].replace("...", "mine")
    shutil.copytree(ended / "run", folder)
    (Path(folder) / "result.json").unlink()
    call(f"resume={folder}")
    assert read_result(Path(folder))["objective"] == pytest.approx(0.97)
    assert "trained" in call(f"resume={folder}")


def test_the_launchers_settings_of_sweeps_compose(here):
    """Jobs of joblib, Ray and submitit are run in tests/sweeps; a cluster is not here."""
    assert {"joblib", "ray", "submitit_slurm"} == {
        word.partition("=")[2] for one in launched() for word in one.words if "hydra/launcher=" in word
    }
    register_launchers()
    with initialized():
        for command in launched():
            cfg = compose(TRAIN.config_name, overrides=runs_of(command.settings)[0], return_hydra_config=True)
            name = next(word.partition("=")[2] for word in command.words if word.startswith("hydra/launcher="))
            assert name.removeprefix("submitit_") in cfg.hydra.launcher._target_.lower()
