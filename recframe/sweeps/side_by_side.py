"""How many jobs of a sweep run on one machine at a time, and the number of threads that its starter set for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from recframe.cores import OPENMP, number_in

VARIABLE = "RECFRAME_SWEEP_THREADS"
LOCAL_RAY = "local"
"""The address of a Ray that is started on this machine, as if none was given."""


def runs_side_by_side(launcher: Mapping[str, Any], cores: int, processes: int = 1) -> int:
    """The jobs that Hydra launchers with these settings run on a machine of `cores` cores at a time.

    joblib says it by `n_jobs` (-1: one a core), submitit on this machine by `array_parallelism`, in a queue by `cpus_per_task`. Any other
    either runs one job after the other, or sets OMP_NUM_THREADS in its workers, as Ray does.

    Parameters
    ----------
    processes: of this machine, each with such a launcher. A queue gives a job its cores, whoever has sent it.
    """
    jobs, cpus = launcher.get("n_jobs"), launcher.get("cpus_per_task")
    if str(launcher.get("_target_")).endswith("LocalLauncher"):
        jobs = launcher.get("array_parallelism")
    if isinstance(jobs, int) and jobs:
        return processes * (jobs if jobs > 0 else max(cores + 1 + jobs, 1))
    return max(cores // cpus, 1) if isinstance(cpus, int) and cpus > 0 else processes


def jobs_on_this_machine(launcher: Mapping[str, Any], cores: int) -> int:
    """The same, where Ray that is started for the sweep is known, too. A setting of a queue or a cluster says nothing of this machine."""
    if "ray" in launcher:
        return jobs_under_ray(launcher, cores) or 1
    return runs_side_by_side({name: launcher.get(name) for name in ("_target_", "n_jobs", "array_parallelism")}, cores)


def jobs_under_ray(launcher: Mapping[str, Any], cores: int) -> int | None:
    """The jobs that Ray, started on this machine by a launcher with these settings, runs at a time; None: it is a cluster that exists."""
    init, remote = launcher["ray"]["init"], launcher["ray"]["remote"]
    if init.get("address") not in (None, LOCAL_RAY):
        return None
    room = max(int((init.get("num_cpus") or cores) // (remote.get("num_cpus") or 1)), 1)
    return room if launcher["max_jobs"] is None else min(room, int(launcher["max_jobs"]))


@contextmanager
def threads_noted() -> Iterator[None]:
    """Within the block, processes that are started know whether a person set OMP_NUM_THREADS: launchers set it in their workers, too."""
    os.environ[VARIABLE] = os.environ.get(OPENMP, "")
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def threads_by_person() -> int | None:
    """The number of threads that the person who started this process, or its sweep, set by OMP_NUM_THREADS; None: they set none."""
    return number_in(VARIABLE if VARIABLE in os.environ else OPENMP)
