"""Sweeps of small runs in processes of their own, which a test kills or signals at some moment and resumes, by any launcher or sweeper."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.sweeps.processes import processes_in, wait_until

SMALL = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "logger=[csv]"]
SMALL += ["evaluation.references=false", "trainer.evaluate_every=256"]
"""A run of about a second, with eight checkpoints."""
LIMIT = 600


class KilledSweep:
    """A sweep in a folder of its own, `folder/sweep`.

    Parameters
    ----------
    folder: the working directory.   overrides: of the sweep, besides `SMALL`.   launcher: the overrides that choose launcher and sweeper.
    cache: of texts' vectors; by default one beside the folder.   resumed_by: the fixture that the command line is called by for `resume`.
    """

    def __init__(
        self,
        folder: Path,
        overrides: Sequence[str],
        launcher: Sequence[str] = (),
        cache: Path | None = None,
        resumed_by: Callable[..., object] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.resumed_by = resumed_by
        self.cache = cache or folder.parent / "cache"
        self.cwd, self.folder = folder, folder / "sweep"
        self.arguments = ["-m", *SMALL, *overrides, *launcher, "hydra.sweep.dir=sweep"]
        self.output = folder / "output.txt"

    def start(self, arguments: Sequence[str]) -> subprocess.Popen:
        """Start the command line in a process group of its own."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("RECFRAME_", "WANDB_", "HYDRA_"))}
        variables = {**own, "RECFRAME_CACHE": str(self.cache)}
        command = [sys.executable, "-m", "recframe.cli", "train", *arguments]
        with self.output.open("a") as file:
            return subprocess.Popen(command, cwd=self.cwd, env=variables, start_new_session=True, stdout=file, stderr=file)

    def run(self) -> float:
        """Run the sweep undisturbed, and return the seconds that it took."""
        started = time.monotonic()
        with self.start(self.arguments) as process:
            assert process.wait(LIMIT) == 0, self.output.read_text()
        return time.monotonic() - started

    def run_killed(self, due: Callable[[], bool], number: int = signal.SIGKILL) -> bool:
        """Start the sweep, and send it a signal when `due`. Returns whether it was still running.

        A kill, Ctrl-C and the end of a terminal reach all processes of the group; a system's SIGTERM the first one only. Unless it is a
        kill, the sweep is to end by itself, with all of its processes.
        """
        with self.start(self.arguments) as process:
            while not due() and process.poll() is None:
                time.sleep(0.01)
            if process.poll() is not None:
                return False
            (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
            code = process.wait(LIMIT)
        if number != signal.SIGKILL:
            # without a handler where the imports had not ended, and 0 where the last job had
            assert code in (128 + number, -number, 0), (code, self.output.read_text())
            wait_until(lambda: not processes_in(self.cwd), "the end of all processes")
        return True

    def resume(self) -> None:
        """Run what is missing. A sweep that was killed before its folder held anything is started."""
        arguments = ["-m", "sweep.resume=sweep"] if (self.folder / "sweep.json").exists() else self.arguments
        if self.resumed_by is not None:
            self.resumed_by("train", *arguments, cwd=self.cwd, check=True, RECFRAME_CACHE=str(self.cache))
            return
        with self.start(arguments) as process:
            assert process.wait(LIMIT) == 0, self.output.read_text()

    def objectives(self) -> dict[frozenset[str], float]:
        """The objective of each job that has a result, by its overrides."""
        sweep = json.loads((self.folder / "sweep.json").read_text())
        found = {}
        for job in sweep["jobs"]:
            result = self.folder / job["folder"] / "result.json"
            if result.exists():
                found[frozenset(job["overrides"])] = json.loads(result.read_text())["objective"]
        return found

    def trials(self) -> list[dict]:
        """The trials of a search, with their settings, states and values."""
        return json.loads((self.folder / "study.json").read_text())["trials"]

    def interrupted(self) -> list[Path]:
        """The folders of jobs that have begun to train, and have no result."""
        return [path.parent for path in self.folder.glob("*/metrics.csv") if not (path.parent / "result.json").exists()]

    def finished(self) -> dict[Path, tuple[int, bytes]]:
        """The results that are there, with the time at which they were written."""
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.folder.glob("*/result.json")}

    def check_files(self, killed: bool = False) -> None:
        """Fail if a file is half-written, or if a step was recorded twice.

        killed: the processes have just been killed, so that a file which is to be renamed, and the last line of metrics.csv, may be left.
        """
        for path in self.folder.rglob("*.json"):
            json.loads(path.read_text())
        if killed:
            return
        assert not list(self.folder.rglob("*.tmp"))
        for path in self.folder.glob("*/metrics.csv"):
            header, *rows = [line.split(",") for line in path.read_text().splitlines()]
            assert {len(row) for row in rows} <= {len(header)}, path
            steps = [int(row[header.index("env_steps")]) for row in rows]
            assert steps == sorted(steps), path
            # a row is of training or of an evaluation
            kinds = [(step, *(value == "" for value in row)) for step, row in zip(steps, rows, strict=True)]
            assert len(set(kinds)) == len(kinds), path


class Met(NamedTuple):
    """What a signal met: the number of jobs that were started, that had finished, and that were interrupted while they trained."""

    started: int
    finished: int
    interrupted: int


def check_killed_sweep(
    sweep: KilledSweep, due: Callable[[], bool], expected: dict[frozenset[str], float], number: int = signal.SIGKILL
) -> Met | None:
    """Kill a sweep, or send it another signal, resume it, and compare its results with those of one that was not disturbed.

    Returns
    -------
    What the signal met; None if the sweep had ended before, and nothing is compared.
    """
    if not sweep.run_killed(due, number):
        return None
    before, interrupted = sweep.finished(), sweep.interrupted()
    met = Met(len(list(sweep.folder.glob("[!.]*/"))), len(before), len(interrupted))
    if number != signal.SIGKILL:
        assert all((folder / "checkpoints" / "last.ckpt").is_file() for folder in interrupted)
    sweep.check_files(killed=number == signal.SIGKILL)
    sweep.resume()
    assert sweep.objectives() == expected
    # what had finished was not run again
    assert {path: content for path, content in sweep.finished().items() if path in before} == before
    sweep.check_files()
    return met


def after(seconds: float) -> Callable[[], bool]:
    """A moment that comes these seconds after the first call."""
    started = list[float]()

    def due() -> bool:
        started[:] = started or [time.monotonic()]
        return time.monotonic() - started[0] > seconds

    return due
