"""Signals to a sweep whose jobs run in other processes: every job is saved and stops, and no process is left over."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recframe.errors import JobFailed, JobStopped, Stop
from recframe.signals import handle_stop_signals, stop_signals_handled
from recframe.sweeps.jobs import Worker, in_sweep
from recframe.sweeps.record import SweepRecord, recording
from recframe.sweeps.signals import sweep_signals
from recframe.tracking.failure import read_failure
from tests.sweeps.processes import LIMIT, processes_in, wait_until

LONG = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "trainer.env_steps=10000000", "trainer.evaluate_every=5000000"]
TWO_JOBS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"],
    "submitit": ["hydra/launcher=submitit_local", "hydra.launcher.array_parallelism=2"],
}
"""Launchers with two jobs at a time."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="processes are looked for in /proc")
@pytest.mark.parametrize(
    ("number", "whole_group"),
    # Ctrl-C and a closed terminal reach all processes, a system's SIGTERM and kill -9 the first one only
    [
        (signal.SIGTERM, False),
        (signal.SIGINT, True),
        pytest.param(signal.SIGHUP, True, marks=pytest.mark.evidence),
        (signal.SIGKILL, False),
    ],
)
@pytest.mark.parametrize("launcher", ["joblib", *(pytest.param(name, marks=pytest.mark.evidence) for name in ("ray", "submitit"))])
def test_a_signal_to_a_parallel_sweep_saves_every_job_and_leaves_no_process(tmp_path, shared_cache, launcher, number, whole_group):
    command = [sys.executable, "-m", "recframe.cli", "train", "-m", *LONG, "seed=0,1,2", *TWO_JOBS[launcher], "hydra.sweep.dir=sweep"]
    variables = {**os.environ, "RECFRAME_CACHE": str(shared_cache)}
    files = {"stdout": (tmp_path / "out.txt").open("w"), "stderr": (tmp_path / "err.txt").open("w")}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, start_new_session=True, **files) as sweep:
        try:
            training = [tmp_path / "sweep" / job / "metrics.csv" for job in "01"]
            wait_until(lambda: all(path.exists() or sweep.poll() is not None for path in training), "training of two jobs")
            assert sweep.poll() is None, (tmp_path / "err.txt").read_text()
            (os.killpg if whole_group else os.kill)(sweep.pid, number)
            code = sweep.wait(LIMIT)
            wait_until(lambda: not processes_in(tmp_path), "the end of all processes")
        finally:
            for pid in processes_in(tmp_path):
                os.kill(pid, signal.SIGKILL)
    assert all((tmp_path / "sweep" / job / "checkpoints" / "last.ckpt").is_file() for job in "01")
    assert not (tmp_path / "sweep" / "2" / "run.log").exists()
    assert not list(tmp_path.glob("sweep/*/result.json"))
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
        return
    assert code == 128 + number
    told = (tmp_path / "err.txt").read_text()
    assert f"the sweep in sweep was stopped by {signal.Signals(number).name}: 2 stopped, 1 not started" in told
    assert "Run what is missing with: recframe train -m sweep.resume=sweep" in told
    assert all(f"recframe train resume={tmp_path / 'sweep' / job}" in told for job in "01")
    # at the end of a terminal a helper process of joblib's dies with a traceback, which nobody sees
    assert number == signal.SIGHUP or "Traceback" not in told


def states(record: SweepRecord) -> dict[int, tuple[str, str]]:
    return {job: (note.state, note.folder) for job, note in record.notes().items()}


def test_a_record_tells_the_state_of_each_job_and_the_signal_to_stop_by(monkeypatch):
    monkeypatch.delenv("RECFRAME_SWEEP", raising=False)
    assert SweepRecord.of_environment() is None
    with recording() as record:
        assert SweepRecord.of_environment() == record
        assert record.is_parent
        assert record.stop_signal is None
        record.note(10, "running", "sweep/10")
        record.note(2, "not started", "a folder")
        record.note(10, "finished", "sweep/10")
        record.request_stop(15)
        assert states(record) == {2: ("not started", "a folder"), 10: ("finished", "sweep/10")}
        assert record.stop_signal == 15
    assert not record.folder.exists()
    assert SweepRecord.of_environment() is None
    # the starting process may be gone before its jobs are
    record.note(3, "finished", "sweep/3")


def test_a_worker_starts_no_job_after_the_sweep_was_stopped():
    with recording() as record:
        worker = Worker(record)
        assert worker.run(0, "sweep/0", lambda: 1.5) == 1.5
        record.request_stop(signal.SIGTERM)
        with pytest.raises(JobStopped, match="before this job started"):
            worker.run(1, "sweep/1", lambda: pytest.fail("the job ran"))
        assert states(record) == {0: ("finished", "sweep/0"), 1: ("not started", "sweep/1")}


def test_the_reason_of_a_job_that_fails_is_told_recorded_and_left_in_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECFRAME_JOB", "4")

    def fail() -> float:
        raise ZeroDivisionError("the reason")

    with recording() as record:
        # an error of any kind may be one that the process of the sweep cannot read
        with pytest.raises(JobFailed, match="ZeroDivisionError: the reason"):
            Worker(record).run(4, str(tmp_path / "4"), fail)
        assert states(record) == {4: ("failed", str(tmp_path / "4"))}
    assert "the reason" in read_failure(tmp_path / "4")
    assert 'raise ZeroDivisionError("the reason")' in (tmp_path / "4" / "run.log").read_text()
    assert f"recframe: {tmp_path / '4'}: failed: ZeroDivisionError: the reason" in capsys.readouterr().err


def test_a_sweep_without_jobs_in_other_processes_stops_at_once():
    with pytest.raises(Stop, match="stopped by SIGTERM: no job was started") as stopped, sweep_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.exit_code == 143


def test_jobs_that_ran_in_the_same_process_are_counted_too(tmp_path):
    def sweep() -> None:
        with sweep_signals():
            assert in_sweep(0, str(tmp_path / "0"), lambda: 2.5) == 2.5
            with pytest.raises(ZeroDivisionError):
                in_sweep(1, str(tmp_path / "1"), lambda: 1 / 0)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stop) as stopped:
        sweep()
    assert str(stopped.value) == "the sweep was stopped by SIGTERM: 1 failed, 1 finished"


def test_a_signal_that_the_process_was_started_to_ignore_stays_ignored():
    code = (
        "import os, signal\n"
        "from recframe.signals import handle_stop_signals\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "received = []\n"
        "handle_stop_signals(lambda number, frame: received.append(number))\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n"
        "import json; print(json.dumps(received))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [signal.SIGUSR1]


def test_handlers_are_those_from_before_after_the_block():
    before = signal.getsignal(signal.SIGUSR1)
    with stop_signals_handled(lambda number, frame: None):
        assert signal.getsignal(signal.SIGUSR1) is not before
        handle_stop_signals(lambda number, frame: None)
    assert signal.getsignal(signal.SIGUSR1) is before
