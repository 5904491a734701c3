"""A run that was killed at any moment, and resumed or started again, ends with the same numbers as an uninterrupted run."""

import csv
import json
import random
import signal
from pathlib import Path

import pytest

from tests.conftest import CommandLine

SETTINGS = [
    "debug=smoke",
    "encoder=tfidf",
    "state_tracker=mean",
    "logger=[csv]",
    "trainer.evaluate_every=512",
    "agent.learning_starts=256",
    "agent.updates_per_chunk=2",
    "evaluation.tuning_sessions=16",
    "auxiliary.weight=0.1",
]

# A plugin that sends a signal to the process at a chosen moment; an environment variable names both.
SABOTAGE = """
    import os, signal
    from pathlib import Path
    import torch
    from pytorch_lightning.callbacks import Callback
    from recframe.hookspecs import hookimpl

    MOMENT, NUMBER, SIGNAL = os.environ.get("SABOTAGE", "never 0 9").split()

    if "THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["THREADS"]))

    def now(moment, number):
        if moment == MOMENT and number == int(NUMBER):
            os.kill(os.getpid(), int(SIGNAL))

    class Sabotage(Callback):
        renames = 0

        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            now("before_chunk", module.env_steps // 256)

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            now("after_chunk", module.env_steps // 256)

        def on_validation_start(self, trainer, module):
            now("before_evaluation", module.env_steps // 256)

    def sabotage_renaming():
        # when a checkpoint or a weights file is written but not yet renamed
        replace = os.replace
        def replacing(source, target):
            if Path(target).parent.name == "checkpoints":
                Sabotage.renames += 1
                now("before_rename", Sabotage.renames)
            return replace(source, target)
        os.replace = replacing

    @hookimpl
    def recframe_callbacks(cfg):
        sabotage_renaming()
        return [Sabotage()]

    @hookimpl
    def recframe_run_started(cfg, run):
        now("at_start", 0)
"""


def outcome(folder: Path) -> tuple[dict, list[dict[str, str]]]:
    """The values that must be equal: the results, and every logged metric except the speed."""
    result = json.loads((folder / "result.json").read_text())
    with (folder / "metrics.csv").open() as file:
        rows = [{name: value for name, value in row.items() if "per_second" not in name} for row in csv.DictReader(file)]
    return {"policies": result["policies"], "env_steps": result["env_steps"], "objective": result["objective"]}, rows


@pytest.fixture(scope="module")
def uninterrupted(made_once, shared_cache, warm_process):
    def make(folder):
        CommandLine(folder, shared_cache, warm_process)("train", *SETTINGS, f"hydra.run.dir={folder / 'run'}", check=True)

    return outcome(made_once("uninterrupted", make) / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "again"),
    [
        ("at_start 0", "same command"),
        ("before_chunk 1", "same command"),
        ("after_chunk 3", "resume"),
        ("before_evaluation 4", "same command"),
        pytest.param("before_rename 3", "resume", marks=pytest.mark.evidence),
        ("before_rename 4", "same command"),
    ],
)
def test_a_killed_run_goes_on_to_the_same_numbers(warm_recframe, plugin_site, tmp_path, uninterrupted, moment, again):
    plugin_site.install("sabotage", SABOTAGE)
    run = tmp_path / "run"
    killed = warm_recframe("train", *SETTINGS, f"hydra.run.dir={run}", site=plugin_site.folder, SABOTAGE=f"{moment} {int(signal.SIGKILL)}")
    assert killed.returncode == -signal.SIGKILL
    assert not (run / "result.json").exists()
    words = [f"resume={run}"] if again == "resume" else [*SETTINGS, f"hydra.run.dir={run}"]
    # the sums of two threads would be others
    warm_recframe("train", *words, site=plugin_site.folder, check=True, THREADS="2")
    if moment != "at_start 0":
        assert json.loads((run / "result.json").read_text())["threads"] == 1
        assert outcome(run) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "moment"),
    # in the middle of an epoch, in its last chunk, and in the last chunk of the run
    [
        (signal.SIGTERM, 143, "before_chunk 2"),
        (signal.SIGHUP, 129, "before_chunk 3"),
        pytest.param(signal.SIGUSR1, 138, "before_chunk 5", marks=pytest.mark.evidence),
        (signal.SIGINT, 130, "before_chunk 7"),
    ],
)
def test_a_signal_stops_the_run_after_the_current_chunk(warm_recframe, plugin_site, tmp_path, uninterrupted, number, code, moment):
    plugin_site.install("sabotage", SABOTAGE)
    run = tmp_path / "run"
    stopped = warm_recframe("train", *SETTINGS, f"hydra.run.dir={run}", site=plugin_site.folder, SABOTAGE=f"{moment} {int(number)}")
    assert stopped.returncode == code
    assert "Traceback" not in stopped.stderr
    assert f"recframe train resume={run}" in stopped.stderr
    resumed = warm_recframe("train", f"resume={run}", site=plugin_site.folder, check=True)
    # the chunk in which the signal arrived was finished and saved: the evaluation after 2 chunks is not repeated
    assert " 512 env steps: return" not in resumed.stdout
    assert outcome(run) == uninterrupted


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(warm_recframe, tmp_path):
    run = tmp_path / "run"
    warm_recframe("train", *SETTINGS, "evaluation.references=false", f"hydra.run.dir={run}", check=True)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.json")}
    assert "finished already" in warm_recframe("train", f"resume={run}", check=True).stdout
    again = warm_recframe("train", *SETTINGS, "evaluation.references=false", "name=again", f"hydra.run.dir={run}", check=True)
    assert f"{run} holds this very run, which is finished: its result is used, and nothing is run" in again.stdout
    refused = warm_recframe("train", *SETTINGS, f"hydra.run.dir={run}")
    assert refused.returncode == 2
    assert f"{run}: already holds another run (evaluation.references: false then, true now); continue that one with" in refused.stderr
    other = warm_recframe("train", f"resume={run}", "agent.gamma=0.5")
    assert "next to resume= only device=, other_data=, trust_remote_code= and send_variable= are allowed" in other.stderr
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*.json")}


def random_moments(count: int, seed: int) -> list[str]:
    """Random moments of a run of 8 chunks and 4 evaluations."""
    every = [f"before_chunk {n}" for n in range(8)] + [f"after_chunk {n}" for n in range(1, 9)]
    every += [f"before_evaluation {n}" for n in (2, 4, 6, 8)] + [f"before_rename {n}" for n in range(1, 7)] + ["at_start 0"]
    return random.Random(seed).sample(every, count)


@pytest.mark.evidence
@pytest.mark.parametrize("moment", random_moments(10, seed=2026))
def test_a_run_killed_at_random_moments_resumes_to_the_same_numbers(warm_recframe, plugin_site, tmp_path, uninterrupted, moment):
    test_a_killed_run_goes_on_to_the_same_numbers(warm_recframe, plugin_site, tmp_path, uninterrupted, moment, "same command")


@pytest.mark.slow
def test_a_signal_stops_the_whole_sweep(warm_recframe, plugin_site, tmp_path):
    plugin_site.install("sabotage", SABOTAGE)
    command = ["train", "-m", *SETTINGS, "seed=0,1,2", "hydra.sweep.dir=sweep"]
    stopped = warm_recframe(*command, site=plugin_site.folder, SABOTAGE=f"before_chunk 2 {int(signal.SIGTERM)}")
    assert stopped.returncode == 143
    assert "Traceback" not in stopped.stderr
    assert [path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()] == ["0"]
