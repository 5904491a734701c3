"""Sweeps of small runs in processes of their own, which a test kills at some moment and resumes, by any launcher or sweeper."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SMALL = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "trainer.evaluate_every=256"]
"""A run of about a second, with eight checkpoints."""
LIMIT = 600


class KilledSweep:
    """A sweep in a folder of its own, `folder/sweep`.

    Parameters
    ----------
    folder: the working directory.   overrides: of the sweep, besides `SMALL`.   launcher: the overrides that choose launcher and sweeper.
    cache: of texts' vectors; by default one beside the folder.
    """

    def __init__(self, folder: Path, overrides: Sequence[str], launcher: Sequence[str] = (), cache: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
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

    def run_killed(self, due: Callable[[], bool]) -> bool:
        """Start the sweep, and kill all of its processes when `due`. Returns whether they were still running."""
        with self.start(self.arguments) as process:
            while not due() and process.poll() is None:
                time.sleep(0.01)
            running = process.poll() is None
            os.killpg(process.pid, signal.SIGKILL) if running else None
            process.wait(LIMIT)
        return running

    def resume(self) -> None:
        """Run what is missing. A sweep that was killed before its folder held anything is started."""
        arguments = ["-m", "sweep.resume=sweep"] if (self.folder / "sweep.json").exists() else self.arguments
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

    def finished(self) -> dict[Path, tuple[int, bytes]]:
        """The results that are there, with the time at which they were written."""
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.folder.glob("*/result.json")}

    def check_files(self) -> None:
        """Fail if a file is half-written, or if a step was recorded twice."""
        for path in self.folder.rglob("*.json"):
            json.loads(path.read_text())
        assert not list(self.folder.rglob("*.tmp"))
        for path in self.folder.glob("*/metrics.csv"):
            header, *rows = [line.split(",") for line in path.read_text().splitlines()]
            assert {len(row) for row in rows} <= {len(header)}, path
            steps = [int(row[header.index("env_steps")]) for row in rows]
            assert steps == sorted(steps), path
            # a row is of training or of an evaluation
            kinds = [(step, *(value == "" for value in row)) for step, row in zip(steps, rows, strict=True)]
            assert len(set(kinds)) == len(kinds), path


def check_killed_sweep(sweep: KilledSweep, due: Callable[[], bool], expected: dict[frozenset[str], float]) -> str:
    """Kill a sweep, resume it, and compare its results with those of one that was not disturbed. Returns what the kill met."""
    running = sweep.run_killed(due)
    before = sweep.finished()
    folders = len(list(sweep.folder.glob("[!.]*/")))
    sweep.resume()
    assert sweep.objectives() == expected
    # what had finished was not run again
    assert {path: content for path, content in sweep.finished().items() if path in before} == before
    sweep.check_files()
    return f"{'killed' if running else 'had ended'}, with {folders} of {len(expected)} jobs started and {len(before)} finished"


def at_random(seed: int, longest: float) -> Callable[[], bool]:
    """A moment that is uniformly distributed over the first `longest` seconds from the first call."""
    moment, started = random.Random(seed).uniform(0, longest), list[float]()

    def due() -> bool:
        started[:] = started or [time.monotonic()]
        return time.monotonic() - started[0] > moment

    return due
