"""Overhead of a job under each launcher of a sweep, in seconds of processor time, measured with jobs that only write a result.

    python benchmarks/launchers.py --jobs 100 --launchers ray joblib basic

Processor time depends less on other processes than time on the clock. A process pays imports at its first job; the later ones show what
each further job costs: its config is composed, and it and its result are handed over. The starting process composes and checks all jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

LAUNCHERS = {
    "basic": lambda workers: [],
    "joblib": lambda workers: ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={workers}"],
    "ray": lambda workers: ["hydra/launcher=ray", f"hydra.launcher.ray.init.num_cpus={workers}"],
}


def run_sweep(arguments: list[str]) -> None:
    """Run a sweep of jobs that note the processor time of their process, and print that of this one."""
    from recframe.cli.hydra_app import run_app, run_job
    from recframe.config import TRAIN

    # a function in a function is sent to other processes as it is, and not by the name of this module
    def job(cfg: Any) -> float:
        import json
        import os
        import time
        from pathlib import Path

        from recframe.tracking.result import write_result

        def run(folder: str, overrides: list[str], sweep: str | None) -> float:
            Path(folder).mkdir(parents=True, exist_ok=True)
            write_result(folder, objective=0.0, seed=cfg.seed, env_steps=1, seconds=0.0, policies={})
            (Path(folder) / "process.json").write_text(json.dumps([os.getpid(), time.process_time()]))
            return 0.0

        return run_job(run)

    run_app(TRAIN, arguments, job, lambda groups: None)
    print("processor time", time.process_time())


def measure(launcher: str, workers: int, jobs: int, folder: Path) -> list[Any]:
    """Run a sweep, and return a row of the table."""
    arguments = ["-m", "encoder=tfidf", "logger=[]", f"seed=range({jobs})", f"hydra.sweep.dir={folder}", *LAUNCHERS[launcher](workers)]
    started = time.monotonic()
    command = [sys.executable, __file__, "--sweep", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    wall = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    own = float(done.stdout.rpartition("processor time")[2])
    times: dict[int, list[float]] = {}
    for path in folder.glob("*/process.json"):
        process, seconds = json.loads(path.read_text())
        times.setdefault(process, []).append(seconds)
    first = mean(min(seconds) for seconds in times.values())
    later = sum(max(seconds) - min(seconds) for seconds in times.values()) / max(jobs - len(times), 1)
    return [launcher, len(times), jobs, f"{first:.2f}", f"{later:.3f}", f"{own / jobs:.3f}", f"{wall:.0f}"]


def main() -> None:
    """Measure each launcher, and print a table."""
    if sys.argv[1:2] == ["--sweep"]:
        return run_sweep(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2, help="jobs at a time, but for the basic launcher")
    parser.add_argument("--launchers", nargs="+", choices=list(LAUNCHERS), default=list(LAUNCHERS))
    chosen = parser.parse_args()
    heads = ["launcher", "processes", "jobs", "first job of a process", "each later job", "starting process, a job", "sweep, by the clock"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    with tempfile.TemporaryDirectory() as place:
        os.environ.setdefault("RECFRAME_CACHE", f"{place}/cache")
        for launcher in chosen.launchers:
            print("| " + " | ".join(map(str, measure(launcher, chosen.workers, chosen.jobs, Path(place) / launcher))) + " |", flush=True)


if __name__ == "__main__":
    main()
