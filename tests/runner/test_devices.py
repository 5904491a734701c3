"""Training with `trainer.devices=2`: the same numbers as in one process, one set of files, stop, resume, and the end of a process."""

import os
import signal
from importlib import import_module

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file

import recframe
from recframe.runner import ranks
from recframe.runner.ranks import RankFailed
from recframe.tracking import MachineRecord

PPO = ["agent=ppo", "agent.epochs=2", "agent.minibatches=3", "agent.normalize_advantages=true"]
SMALL = [
    *("debug=smoke", "encoder=tfidf", "logger=[csv]", "dataset.num_items=60", "dataset.num_users=80", "environment.num_users=16"),
    *("trainer.env_steps=512", "trainer.evaluate_every=256", "trainer.final_weights=last", "trainer.log_every=2"),
    *("evaluation.references=false", "evaluation.sample_users=0"),
]
CHUNK = 3
"""The chunk of the second epoch after which something happens to a process."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(shared_cache, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(shared_cache))
        yield tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def one(folder):
    return recframe.run([*SMALL, *PPO], folder=folder / "one")


@pytest.fixture(scope="module")
def two(folder):
    return recframe.run([*SMALL, *PPO, "trainer.devices=2"], folder=folder / "two")


def rows(result, names):
    header, *lines = [line.split(",") for line in (result.folder / "metrics.csv").read_text().splitlines()]
    return [[float(cell or "nan") for name, cell in zip(header, line, strict=True) if name in names] for line in lines]


def weights(result):
    tensors = load_file(result.folder / "checkpoints" / "final.safetensors")
    return {name: value for name, value in tensors.items() if value.is_floating_point()}


def test_two_processes_learn_what_one_learns(one, two):
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, rtol=1e-3, atol=1e-5)
    measured = {"env_steps", "train/sessions", "train/return", "loss/policy", "eval/return", "eval/coverage"}
    assert torch.tensor(rows(two, measured)).allclose(torch.tensor(rows(one, measured)), rtol=1e-3, atol=1e-5, equal_nan=True)
    assert two.objective == pytest.approx(one.objective, rel=1e-4)


def test_one_process_writes_the_files(one, two):
    assert {path.name for path in two.folder.iterdir()} == {path.name for path in one.folder.iterdir()}
    assert two.env_steps == one.env_steps == 512
    assert MachineRecord(two.folder).read() == MachineRecord(one.folder).read()


# a process that waits for another takes no signal
@pytest.mark.timeout(300, method="thread")
def test_all_processes_wait_for_the_evaluation_of_a_start_that_was_fitted(folder):
    fitted = ["state_tracker=posterior", "state_tracker.random_steps=400", "trainer.env_steps=64", "trainer.evaluate_every=64"]
    run = recframe.run([*SMALL, *PPO, *fitted, "trainer.final_weights=best", "trainer.devices=2"], folder=folder / "fitted")
    evaluated = [steps for steps, value in rows(run, {"env_steps", "eval/return"}) if value == value]
    assert evaluated[0] == 0.0
    assert run.selection.get("candidates") == len(evaluated) == 2


class After(pl.Callback):
    """Calls a function with the other processes after the chunk `CHUNK` of the second epoch."""

    def __init__(self, happen, started):
        self.happen, self.started = happen, started

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == CHUNK:
            self.happen([one.process.pid for one in self.started])


@pytest.fixture
def later(monkeypatch):
    """Lets something happen to the other processes of a run: `later(function of their numbers)`."""

    def set_up(happen):
        started = []

        class Watched(ranks.Started):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                started.append(self)

        monkeypatch.setattr(ranks, "Started", Watched)
        # `recframe.runner.run` is the function
        monkeypatch.setattr(import_module("recframe.runner.run"), "plugin_callbacks", lambda cfg: [After(happen, started)])
        return started

    return set_up


def test_a_signal_to_one_process_stops_all_and_a_resumed_run_goes_on_to_the_digit(two, folder, later, monkeypatch):
    started = later(lambda pids: os.kill(pids[0], signal.SIGINT))
    with pytest.raises(recframe.Interrupted, match="stopped by SIGINT; the training so far is saved"):
        recframe.run([*SMALL, *PPO, "trainer.devices=2"], folder=folder / "stopped")
    assert all(one.process.returncode is not None for one in started)
    monkeypatch.undo()
    resumed = recframe.resume(folder / "stopped")
    assert resumed.policies == two.policies
    for name, value in weights(two).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_a_process_that_is_killed_ends_the_run_with_one_line(folder, later):
    started = later(lambda pids: os.kill(pids[0], signal.SIGKILL))
    with pytest.raises(RankFailed) as failed:
        recframe.run([*SMALL, "agent=dqn", "agent.learning_starts=128", "trainer.devices=2"], folder=folder / "killed")
    assert str(failed.value) == (
        "process 2 of the training failed: it was killed by SIGKILL, as the system does when memory runs out; "
        f"the last checkpoint is saved. Resume with: recframe train resume={folder / 'killed'}"
    )
    assert started[0].process.returncode == -signal.SIGKILL
