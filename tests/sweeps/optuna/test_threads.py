"""Processes that work on one search share out the cores of their machine."""

import pytest
from omegaconf import OmegaConf

from recframe.cli.train import runs_beside
from recframe.config.schema.search import TARGET
from recframe.sweeps.optuna.workers import Workers

JOBLIB = {"n_jobs": 2}
LOCAL = {"_target_": "hydra_plugins.recframe.LocalLauncher", "array_parallelism": 3, "cpus_per_task": 1}
SLURM = {"array_parallelism": 256, "max_num_timeout": 10, "cpus_per_task": 4}


def hydra_section(sweep, launcher, sweeper=TARGET):
    return OmegaConf.create({"sweeper": {"_target_": sweeper}, "launcher": launcher, "runtime": {"output_dir": str(sweep / "0")}})


@pytest.mark.parametrize(("launcher", "runs"), [({}, 2), (JOBLIB, 4), (LOCAL, 6), (SLURM, 4)])
def test_a_job_of_a_search_counts_the_jobs_of_all_processes_on_it(tmp_path, monkeypatch, launcher, runs):
    monkeypatch.setattr("recframe.cli.train.available_cores", lambda: 16)
    dead, elsewhere = Workers(tmp_path), Workers(tmp_path)
    (tmp_path / ".study" / f"{dead.name}.lock").touch()
    (tmp_path / ".study" / f"another-machine{elsewhere.name}.lock").touch()
    with Workers(tmp_path).working(), Workers(tmp_path).working():
        assert runs_beside(hydra_section(tmp_path, launcher)) == runs
        # those of a grid do not
        assert runs_beside(hydra_section(tmp_path, launcher, "hydra_plugins.recframe.GridSweeper")) == (
            4 if launcher is SLURM else runs // 2
        )
    # a job on a machine where no such process is
    assert runs_beside(hydra_section(tmp_path, JOBLIB)) == 2
