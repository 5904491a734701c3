"""The number of threads of a run, by its size, the launcher, the environment and its record."""

import os

import numpy  # noqa: F401  # its OpenBLAS has threads of its own
import pytest
import torch
from omegaconf import OmegaConf
from threadpoolctl import threadpool_info

from recframe.cores import available_cores
from recframe.runner import threads
from recframe.runner.threads import RunThreads, threads_of
from recframe.sweeps.side_by_side import VARIABLE, runs_side_by_side, threads_noted
from recframe.tracking import MachineRecord


def config(setting="auto", users=128, tuning="frozen", devices=1):
    return OmegaConf.create(
        {"trainer": {"threads": setting, "devices": devices}, "environment": {"num_users": users}, "encoder": {"tuning": tuning}}
    )


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    for variable in ("OMP_NUM_THREADS", VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("cfg", "items", "side_by_side", "training", "texts"),
    [
        (config(), 1_000, 1, 1, 8),
        (config(), 1_000, 4, 1, 2),
        (config(), 100_000, 1, 8, 8),
        (config(), 100_000, 4, 2, 2),
        (config(), 100_000, 100, 1, 1),
        (config(devices=2), 100_000, 2, 2, 4),
        (config(tuning="lora"), 1_000, 4, 2, 2),
        (config("3"), 1_000, 4, 3, 3),
        (config("3"), 100_000, 1, 3, 3),
    ],
)
def test_auto_is_one_thread_or_a_share_of_the_cores_where_steps_are_large(tmp_path, cfg, items, side_by_side, training, texts):
    chosen = threads_of(cfg, MachineRecord(tmp_path), side_by_side)
    assert (chosen.training(cfg, items), chosen.texts) == (training, texts)


def test_a_person_who_sets_omp_num_threads_decides_what_auto_is(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with threads_noted():
        monkeypatch.setenv("OMP_NUM_THREADS", "2")  # as a launcher does in its workers
        chosen = threads_of(config(), MachineRecord(tmp_path), 4)
    assert (chosen.training(config(), 1_000), chosen.texts) == (5, 5)


def test_what_a_launcher_sets_is_a_limit(tmp_path, monkeypatch):
    with threads_noted():
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        chosen = threads_of(config(), MachineRecord(tmp_path))
    assert (chosen.training(config(), 1_000), chosen.training(config(), 100_000), chosen.texts) == (1, 3, 3)


def test_the_recorded_numbers_win(tmp_path, monkeypatch):
    MachineRecord(tmp_path).write(2, 16)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    chosen = threads_of(config(), MachineRecord(tmp_path), 4)
    assert (chosen.training(config(), 100_000), chosen.texts) == (2, 16)


def test_pytorch_and_blas_have_the_numbers_within_the_block_only(tmp_path):
    def blas():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before = torch.get_num_threads(), blas()
    with RunThreads(config(), tmp_path, side_by_side=2) as run:
        assert (torch.get_num_threads(), blas()) == (4, {4})
        run.start_training(1_000)
        assert (torch.get_num_threads(), blas()) == (1, {1})
    assert (torch.get_num_threads(), blas()) == before
    assert MachineRecord(tmp_path).read() == (1, 4)


@pytest.mark.parametrize(
    ("launcher", "jobs"),
    [
        ({}, 1),
        ({"n_jobs": 3}, 3),
        ({"n_jobs": -1}, 8),
        ({"n_jobs": -3}, 6),
        ({"n_jobs": None}, 1),
        ({"cpus_per_task": 2}, 4),
        ({"_target_": "hydra_plugins.recframe.LocalLauncher", "array_parallelism": 4, "cpus_per_task": None}, 4),
    ],
)
def test_launchers_say_how_many_jobs_they_run_at_a_time(launcher, jobs):
    assert runs_side_by_side(launcher, cores=8) == jobs


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({}, 64),
    ],
)
def test_a_container_leaves_the_cores_of_its_quota(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cores(tmp_path) == cores
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert available_cores(tmp_path) == 1
