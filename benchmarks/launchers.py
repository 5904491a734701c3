"""Overhead of a job under each launcher of a sweep, in seconds of processor time, measured with jobs that only write a result.

    python benchmarks/launchers.py --jobs 100 --launchers ray joblib basic
    python benchmarks/launchers.py --jobs 20 --launchers basic joblib --train environment=topic_world trainer.env_steps=65536

Processor time depends less on other processes than time on the clock. A process pays imports at its first job; the later ones show what
each further job costs: its config is composed, and it and its result are handed over. The starting process composes and checks all jobs.

With `--train` each job is a run with these settings. The table then has the time on the clock: how long the agents were trained, added up
over the jobs, the time of the whole sweep from the command to its end, times its processes, less one start of `recframe` for each, and
the ratio of the two: 1 if nothing but training took time.
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
    """Run a sweep of jobs that only note the processor time of their process, and print that of this one."""
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


def train_sweep(arguments: list[str]) -> None:
    """Run a sweep of jobs that train, and note for how long their agents did."""
    from recframe.cli.hydra_app import run_app, run_job
    from recframe.config import TRAIN

    def job(cfg: Any) -> float:
        import importlib
        import time
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig

        from recframe import runner
        from recframe.cores import available_cores
        from recframe.sweeps.side_by_side import runs_side_by_side

        def run(folder: str, overrides: list[str], sweep: str | None) -> float:
            # the package has the function of this name
            module: Any = importlib.import_module("recframe.runner.run")
            train, started = module.train_stages, 0.0

            def timed(*arguments: Any, **options: Any) -> Any:
                nonlocal started
                started = time.perf_counter()
                trained = train(*arguments, **options)
                (Path(folder) / "training.txt").write_text(str(time.perf_counter() - started))
                return trained

            module.train_stages = timed
            hydra = HydraConfig.get()
            beside = runs_side_by_side(hydra.launcher, available_cores())
            try:
                done = runner.run(cfg, folder, overrides=overrides, sweep=sweep, choices=hydra.runtime.choices, side_by_side=beside)
            finally:
                module.train_stages = train
            return float(done.objective or 0.0)

        return run_job(run)

    run_app(TRAIN, arguments, job, lambda groups: None)


def start_up() -> float:
    """Seconds that a process takes to import what a run needs."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import recframe.runner"], check=True)
    return time.perf_counter() - started


def measure_training(launcher: str, workers: int, jobs: int, folder: Path, settings: list[str]) -> list[Any]:
    """Run a sweep of jobs that train, and return a row of the table."""
    workers = 1 if launcher == "basic" else workers
    arguments = ["-m", "logger=[]", *settings, f"seed=range({jobs})", f"hydra.sweep.dir={folder}", *LAUNCHERS[launcher](workers)]
    start, started = start_up(), time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--train-sweep", *arguments], capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    times = [float(path.read_text()) for path in folder.glob("*/training.txt")]
    if done.returncode or len(times) != jobs:
        sys.exit(done.stdout + done.stderr)
    ratio = workers * (wall - start) / sum(times)
    return [launcher, workers, jobs, f"{mean(times):.1f}", f"{sum(times):.0f}", f"{start:.1f}", f"{wall:.0f}", f"{ratio:.2f}"]


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
    if sys.argv[1:2] == ["--train-sweep"]:
        return train_sweep(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2, help="jobs at a time, but for the basic launcher")
    parser.add_argument("--launchers", nargs="+", choices=list(LAUNCHERS), default=list(LAUNCHERS))
    parser.add_argument("--train", nargs="+", metavar="KEY=VALUE", help="the jobs are runs with these settings")
    chosen = parser.parse_args()
    heads = ["launcher", "processes", "jobs", "first job of a process", "each later job", "starting process, a job", "sweep, by the clock"]
    if chosen.train:
        heads = ["launcher", "processes", "jobs", "training of a job, s", "of all jobs, s", "a start, s", "sweep, s", "ratio"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    with tempfile.TemporaryDirectory() as place:
        os.environ.setdefault("RECFRAME_CACHE", f"{place}/cache")
        for launcher in chosen.launchers:
            where = launcher, chosen.workers, chosen.jobs, Path(place) / launcher
            row = measure_training(*where, chosen.train) if chosen.train else measure(*where)
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
