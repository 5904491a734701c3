"""Sweeps with jobs that crash, hang, run out of memory or are killed: the others finish, and the end says what became of each.

The jobs are toys, which import nothing heavy and write a result.
"""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from recframe.cli.hydra_app import run_app, run_job
from recframe.config import TRAIN
from recframe.errors import UserError
from recframe.sweeps.outcomes import SweepFailed
from recframe.tracking.early_end import STOPPED_RUN
from recframe.tracking.failure import read_failure
from recframe.tracking.identity import run_identity
from recframe.tracking.result import write_result


@pytest.fixture
def sweep(tmp_path, monkeypatch, capfd):
    """Runs a sweep of toys in `tmp_path`, `{seed: what the job does}`, and returns what it prints, with the seeds that ran in order."""
    monkeypatch.chdir(tmp_path)
    # other processes import the toys
    root = str(Path(__file__).parents[2])
    monkeypatch.syspath_prepend(root)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))

    def start(toys, *overrides: str, resume: bool = False, known: bool = False) -> tuple[str, list[int]]:
        started = tmp_path / "started.txt"
        started.unlink(missing_ok=True)

        # a function in a function is sent to other processes as it is, and not by the name of this module
        def job(cfg) -> float:
            def run(folder: str, overrides: list[str], sweep: str | None) -> float:
                if known:
                    run_identity(cfg).write(Path(folder))
                with started.open("a") as file:
                    print(cfg.seed, file=file)
                toys.get(cfg.seed, lambda folder: None)(folder)
                policies = {"trained": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 4}}}
                write_result(folder, objective=cfg.seed * 1.5, seed=cfg.seed, env_steps=1, seconds=0.0, policies=policies)
                return cfg.seed * 1.5

            return run_job(run)

        seeds = [f"seed={','.join(map(str, toys))}", "hydra.sweep.dir=sweep"] if not resume else ["sweep.resume=sweep"]
        arguments = ["-m", *seeds, "encoder=tfidf", "logger=[]", *overrides]
        try:
            run_app(TRAIN, arguments, job, lambda groups: None)
            told = ""
        except SweepFailed as failed:
            told = str(failed)
        return told + capfd.readouterr().out, [int(line) for line in started.read_text().split()] if started.exists() else []

    yield start
    # joblib keeps its processes, which know the sweep that they were started in
    get_reusable_executor().shutdown(wait=True)


def fine(folder: str) -> None:
    return None


def wait(folder: str) -> None:
    time.sleep(600)


def grow(folder: str) -> None:
    kept = []
    while True:
        kept.append(b"x" * 2**26)
        time.sleep(0.02)


def results(folder: Path) -> dict[str, float]:
    return {path.parent.name: json.loads(path.read_text())["objective"] for path in folder.glob("*/result.json")}


LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2", "hydra.launcher.ray.remote.max_retries=1"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.array_parallelism=2"],
}


@pytest.mark.parametrize("launcher", ["basic", *(pytest.param(name, marks=pytest.mark.evidence) for name in ("joblib", "ray", "submitit"))])
def test_a_sweep_survives_jobs_that_crash_hang_are_killed_and_run_out_of_memory(sweep, tmp_path, launcher):
    class Unreadable(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def crash(folder: str) -> None:
        raise Unreadable("a", "b")

    def wrong(folder: str) -> None:
        raise UserError("dataset.path: there is no such file")

    def hang(folder: str) -> None:
        # native code that gives Python's lock to nobody
        ctypes.PyDLL(None).sleep(600)

    def die(folder: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    toys = dict(enumerate([fine, crash, wrong, hang, wait, grow, die, fine]))
    # the one that grows is to reach the other limit, also beside others
    seconds = 8 if launcher == "basic" else 20
    limits = [f"sweep.job_timeout={seconds}", "sweep.grace_period=0.5", "sweep.memory_limit=1"]
    told, started = sweep(toys, *limits, *LAUNCHERS[launcher])
    assert results(tmp_path / "sweep") == {"0": 0.0, "7": 10.5}
    assert sorted(set(started)) == list(toys)
    if launcher == "basic":
        assert started.count(6) == 2  # the one whose process died is tried once more
        assert len(started) == len(toys) + 1
    assert "the sweep in sweep: 2 finished, 4 failed, 2 stopped" in told
    reasons = {line.split(" (")[0].strip(): line for line in told.splitlines() if line.startswith("  ")}
    assert "Unreadable: a and b" in reasons["failed: sweep/1"]
    assert "dataset.path: there is no such file" in reasons["failed: sweep/2"]
    assert f"sweep.job_timeout={seconds} (seconds) and did not stop" in reasons["failed: sweep/3"]
    assert f"sweep.job_timeout={seconds} (seconds)" in reasons["stopped: sweep/4"]
    assert "sweep.memory_limit=1" in reasons["stopped: sweep/5"]
    assert ("its process ended unexpectedly" if launcher in ("basic", "joblib") else "process of the job was lost") in reasons[
        "failed: sweep/6"
    ]
    assert "Run what is missing with: recframe train -m sweep.resume=sweep" in told
    # the reasons are in the folders, and the places in the logs
    assert all(read_failure(tmp_path / "sweep" / job) in reasons[f"failed: sweep/{job}"] for job in "1236")
    assert "raise Unreadable" in (tmp_path / "sweep" / "1" / "run.log").read_text()
    assert all(STOPPED_RUN.read(tmp_path / "sweep" / job) in reasons[f"stopped: sweep/{job}"] for job in "45")
    assert "in hang" in (tmp_path / "sweep" / "3" / "run.log").read_text()
    told, started = sweep({}, resume=True)
    assert "2 finished before, 6 finished" in told or "6 finished, 2 finished before" in told
    assert sorted(started) == [1, 2, 3, 4, 5, 6]


def test_jobs_side_by_side_are_stopped_at_limits_of_their_own(sweep, tmp_path):
    limits = ["sweep.job_timeout=8", "sweep.memory_limit=1"]
    told, started = sweep({0: wait, 1: grow, 2: fine}, *limits, *LAUNCHERS["joblib"])
    assert sorted(started) == [0, 1, 2]
    assert "the sweep in sweep: 1 finished, 2 stopped" in told
    assert "sweep.job_timeout=8 (seconds)" in STOPPED_RUN.read(tmp_path / "sweep" / "0")
    assert "sweep.memory_limit=1" in STOPPED_RUN.read(tmp_path / "sweep" / "1")
    assert results(tmp_path / "sweep") == {"2": 3.0}


def test_a_job_whose_neighbour_dies_is_not_blamed(sweep, tmp_path):
    def die(folder: str) -> None:
        while not (tmp_path / "neighbour").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    def work(folder: str) -> None:
        if not (tmp_path / "neighbour").exists():
            (tmp_path / "neighbour").touch()
            time.sleep(600)

    told, started = sweep({0: die, 1: work, 2: fine, 3: fine}, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert results(tmp_path / "sweep") == {"1": 1.5, "2": 3.0, "3": 4.5}
    assert sorted(started) == [0, 0, 1, 1, 2, 3]
    assert "3 finished, 1 failed" in told


def test_a_sweep_that_is_started_again_runs_what_failed_and_what_is_new(sweep, tmp_path):
    def fail(folder: str) -> None:
        raise UserError("not today")

    told, _ = sweep({0: fine, 1: fail})
    assert "1 finished, 1 failed" in told
    # the same command in the same folder
    told, started = sweep({0: fine, 1: fine})
    assert started == [1]
    assert "the sweep in sweep: 1 finished, 1 finished before" in told
    told, started = sweep({}, "seed=range(1,4)", resume=True)
    assert started == [2, 3]
    assert results(tmp_path / "sweep") == {"0": 0.0, "1": 1.5, "2": 3.0, "3": 4.5}
    # the same runs in other words, and a new value
    told, started = sweep({}, "seed=3,2", "logger=[csv]", resume=True)
    assert "4 finished before" in told
    told, started = sweep({}, "seed=3", "agent.gamma=0.5", resume=True)
    assert started == [3]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["jobs"][-1]["folder"] == "4"


def test_a_full_disk_costs_the_jobs_that_meet_it_and_nothing_else(sweep, full_disk, monkeypatch, tmp_path):
    monkeypatch.chdir(full_disk)

    def fill(folder: str) -> None:
        with (full_disk / "full").open("wb") as file:
            while True:
                file.write(b"x" * 4096)

    told, _ = sweep({0: fine, 1: fill, 2: fine})
    assert "1 finished, 2 failed" in told
    assert sum("No space left on device" in line for line in told.splitlines() if "  failed:" in line) == 2
    (full_disk / "full").unlink()
    told, started = sweep({}, resume=True)
    assert (started, results(full_disk / "sweep")) == ([1, 2], {"0": 0.0, "1": 1.5, "2": 3.0})
    # so that it can be unmounted
    monkeypatch.chdir(tmp_path)


def test_the_folder_of_a_sweep_takes_no_other_sweep_and_no_second_process(sweep):
    sweep({0: fine})
    with pytest.raises(UserError, match=r"holds a sweep of another command; to add jobs to it, use sweep.resume=sweep"):
        sweep({0: fine, 1: fine})


def test_folders_are_called_as_the_person_says(sweep, tmp_path):
    sweep({0: fine, 1: fine}, "hydra.sweep.subdir=${agent.name}_${seed}/${hydra.job.num}")
    assert [path.parent.parent.name for path in sorted(tmp_path.glob("sweep/*/*/result.json"))] == ["dqn_0", "dqn_1"]


def test_finished_jobs_that_would_be_other_runs_now_are_named(sweep, tmp_path):
    sweep(dict.fromkeys(range(3), fine), known=True)
    told, started = sweep({}, resume=True)
    assert "3 finished before" in told
    assert "other runs" not in told
    for job in "12":
        path = tmp_path / "sweep" / job / "identity.json"
        content = json.loads(path.read_text())
        content["key"], content["versions"]["torch"] = f"of an older torch, {job}", "1.13.0"
        path.write_text(json.dumps(content))
    told, started = sweep({}, resume=True)
    assert started == []
    assert "jobs that have finished were other runs than they would be now: 1, 2 (job 1: torch: 1.13.0 then, " in told
    assert "3 finished before" in told
