"""A sweep that is killed at any moment is resumed to the results of one that was not disturbed."""

import pytest

from tests.sweeps.killed_sweeps import KilledSweep, at_random, check_killed_sweep

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
RAY = ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]
GRID = ["hydra/sweeper=optuna", "hydra.sweeper.sampler=grid"]
TPE = ["hydra/sweeper=optuna", "hydra.sweeper.sampler=tpe", "hydra.sweeper.startup_trials=2", "hydra.sweeper.n_trials=5"]
SEEDS, GAMMAS = ["seed=0,1,2", "agent.gamma=0.5"], ["agent.gamma=0.3,0.5,0.7"]
SPACE = ["agent.gamma=interval(0,0.9)", "agent.learning_rate=tag(log,interval(1e-4,1e-2))"]


@pytest.mark.slow
def test_a_parallel_sweep_that_is_killed_is_resumed_to_the_same_results(tmp_path, shared_cache, warm_recframe):
    undisturbed = KilledSweep(tmp_path / "undisturbed", ["seed=0,1,2"])
    warm_recframe("train", *undisturbed.arguments, cwd=undisturbed.cwd, check=True)
    sweep = KilledSweep(tmp_path / "killed", ["seed=0,1,2"], JOBLIB, shared_cache)
    sweep.resume = lambda: warm_recframe("train", "-m", "sweep.resume=sweep", "hydra/launcher=basic", cwd=sweep.cwd, check=True)
    metrics = [sweep.folder / job / "metrics.csv" for job in "01"]
    told = check_killed_sweep(sweep, lambda: any(path.exists() for path in metrics), undisturbed.objectives())
    assert told == "killed, with 2 of 3 jobs started and 0 finished"


@pytest.mark.evidence
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("launcher", "varied"),
    [([], SEEDS), (JOBLIB, SEEDS), (RAY, SEEDS), (GRID, GAMMAS), (TPE, SPACE)],
    ids=["basic", "joblib", "ray", "optuna-grid", "optuna-tpe"],
)
def test_a_sweep_that_is_killed_at_ten_random_moments_is_resumed_to_the_same_results(tmp_path, launcher, varied):
    searches = "hydra/sweeper=optuna" in launcher
    if searches:
        pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
    undisturbed = KilledSweep(tmp_path / "undisturbed", varied, launcher)
    seconds = undisturbed.run()
    for moment in range(10):
        sweep = KilledSweep(tmp_path / str(moment), varied, launcher)
        print(check_killed_sweep(sweep, at_random(moment, seconds), undisturbed.objectives()), flush=True)
        if searches:
            assert sweep.trials() == undisturbed.trials()
