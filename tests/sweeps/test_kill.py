"""A sweep that is killed, or receives a signal, at any moment is resumed to the results of one that was not disturbed."""

import random
import signal
import time
from collections.abc import Callable, Sequence

import pytest

from tests.sweeps.killed_sweeps import KilledSweep, Met, after, check_killed_sweep

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
RAY = ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]
SUBMITIT = ["hydra/launcher=submitit_local", "hydra.launcher.array_parallelism=2"]
GRID = ["hydra/sweeper=optuna", "hydra.sweeper.sampler=grid"]
TPE = ["hydra/sweeper=optuna", "hydra.sweeper.sampler=tpe", "hydra.sweeper.startup_trials=2", "hydra.sweeper.n_trials=5"]
SEEDS, GAMMAS = ["seed=0,1,2", "agent.gamma=0.5"], ["agent.gamma=0.3,0.5,0.7"]
SPACE = ["agent.gamma=interval(0,0.9)", "agent.learning_rate=tag(log,interval(1e-4,1e-2))"]
SWEEPS = {
    "basic": ([], SEEDS),
    "joblib": (JOBLIB, SEEDS),
    "ray": (RAY, SEEDS),
    "submitit": (SUBMITIT, SEEDS),
    "optuna-grid": (GRID, GAMMAS),
    "optuna-tpe": (TPE, SPACE),
    "optuna-grid-joblib": ([*GRID, *JOBLIB], GAMMAS),
}
"""Launcher and sweeper, and what is varied."""


@pytest.fixture
def undisturbed(made_once, warm_recframe) -> dict[frozenset[str], float]:
    """The objectives of a sweep over three seeds."""

    def make(folder):
        sweep = KilledSweep(folder, ["seed=0,1,2"])
        warm_recframe("train", *sweep.arguments, cwd=folder, check=True)

    return KilledSweep(made_once("undisturbed_sweep", make), []).objectives()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "number", "started"), [(JOBLIB, signal.SIGKILL, 2), ([], signal.SIGHUP, 1)], ids=["kill-joblib", "SIGHUP-basic"]
)
def test_a_sweep_that_is_interrupted_is_resumed_to_the_same_results(
    tmp_path, shared_cache, warm_recframe, undisturbed, launcher, number, started
):
    sweep = KilledSweep(tmp_path / "killed", ["seed=0,1,2"], launcher, shared_cache)
    sweep.resume = lambda: warm_recframe("train", "-m", "sweep.resume=sweep", "hydra/launcher=basic", cwd=sweep.cwd, check=True)
    metrics = [sweep.folder / job / "metrics.csv" for job in "01"]
    met = check_killed_sweep(sweep, lambda: any(path.exists() for path in metrics), undisturbed, number)
    assert met is not None
    assert (met.started, met.finished) == (started, 0)
    told = "the sweep in sweep was stopped by SIGHUP: 1 stopped, 2 not started"
    assert number == signal.SIGKILL or told in sweep.output.read_text()


class Disturbed:
    """The sweep `name` of `SWEEPS`, undisturbed, and others of it that are disturbed at random moments of its time.

    resumed_by: the fixture that they are resumed by. Ray's are resumed in a new process.
    """

    def __init__(self, folder, name: str, resumed_by) -> None:
        if name.startswith("optuna"):
            pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
        self.name = name
        launcher, varied = SWEEPS[name]
        by = None if name == "ray" else resumed_by
        self.make: Callable[[str], KilledSweep] = lambda place: KilledSweep(folder / place, varied, launcher, resumed_by=by)
        self.whole = self.make("undisturbed")
        self.seconds = self.whole.run()
        self.moments = random.Random(0)

    def disturb(self, numbers: Sequence[int]) -> None:
        """Send these signals, each to a running sweep of its own, and compare what is resumed with the undisturbed sweep."""
        met: list[Met] = []
        late = 0
        while len(met) < len(numbers):
            number = signal.Signals(numbers[len(met)])
            sweep, started = self.make(str(len(met) + late)), time.monotonic()
            one = check_killed_sweep(sweep, after(self.moments.uniform(0, self.seconds)), self.whole.objectives(), number)
            if one is None:
                # the machine has less to do than before
                self.seconds = min(self.seconds, time.monotonic() - started)
                late += 1
                continue
            met.append(one)
            if self.name.startswith("optuna"):
                assert sweep.trials() == self.whole.trials()
            print(f"{self.name}, {number.name}: {one} of {len(self.whole.objectives())} jobs; {late} were over before", flush=True)


@pytest.mark.evidence
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_that_is_killed_at_ten_random_moments_is_resumed_to_the_same_results(tmp_path, warm_recframe, name):
    Disturbed(tmp_path, name, warm_recframe).disturb([signal.SIGKILL] * 10)


@pytest.mark.evidence
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", ["basic", "joblib", "ray", "submitit", "optuna-tpe"])
def test_a_sweep_that_receives_signals_at_random_moments_is_resumed_to_the_same_results(tmp_path, warm_recframe, name):
    Disturbed(tmp_path, name, warm_recframe).disturb([signal.SIGTERM, signal.SIGINT, signal.SIGHUP] * 3)
