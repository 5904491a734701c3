"""The time from the command line of a sweep to its first job: recframe's sweeper against Hydra's own, which composes every job first.

Each side runs in a process of its own, in turns. Both look for mistakes in all jobs. No job is run.

    python benchmarks/sweep_start.py                     # 200 jobs: 10 values of a setting, 20 seeds
    python benchmarks/sweep_start.py --groups            # 200 jobs: 20 combinations of components, 10 seeds
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

VALUES = [f"agent.gamma={','.join(str(i / 20) for i in range(10))}", "seed=range(20)"]
GROUPS = ["agent=dqn,ppo,reinforce,linucb,random", "encoder=tfidf,random", "state_tracker=mean,gru4rec", "seed=range(10)"]


def seconds_to_first_job(sweeper: str, overrides: list[str]) -> float:
    """The CPU seconds of this process, from its start until a launcher is given the first jobs."""
    import time

    from hydra.core.plugins import Plugins

    # it makes its classes anew
    Plugins.instance()
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    from recframe.cli.hydra_app import run_app
    from recframe.config import TRAIN

    class Launched(BaseException):
        pass

    def launch(self, job_overrides, initial_job_idx):
        assert len(job_overrides) == 200
        raise Launched

    BasicLauncher.launch = launch
    try:
        run_app(TRAIN, ["-m", *overrides, f"hydra/sweeper={sweeper}"], lambda cfg: 0.0, lambda groups: None)
    except Launched:
        return time.process_time()
    raise RuntimeError("no job was launched")


def main() -> None:
    """Measure both sweepers in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", action="store_true", help="sweep over components")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=("basic", "grid"), default=["basic", "grid"], help="the sweepers to measure")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        os.environ["HYDRA_FULL_ERROR"] = "1"
        print(seconds_to_first_job(options.side, GROUPS if options.groups else VALUES))
        return
    measured: dict[str, list[float]] = {side: [] for side in options.sides}
    for _ in range(options.repetitions):
        for side, seconds in measured.items():
            command = [sys.executable, __file__, "--side", side, *(["--groups"] if options.groups else [])]
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            seconds.append(float(done.stdout.split()[-1]))
    for side, seconds in measured.items():
        print(f"{side:10} {statistics.median(seconds):6.2f} CPU seconds to the first of 200 jobs")
    if len(measured) > 1:
        print(f"ratio      {statistics.median(measured['basic']) / statistics.median(measured['grid']):6.2f}")


if __name__ == "__main__":
    main()
