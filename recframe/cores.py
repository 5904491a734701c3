"""The processor cores that this process may use: all, or as many as a container or a batch system leaves it."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
OPENMP = "OMP_NUM_THREADS"


def available_cores(cgroup: Path = CGROUP) -> int:
    """The cores that this process may run on, at least 1: of its affinity, its container's quota and its SLURM task the fewest."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [affinity, _quota(cgroup), number_in("SLURM_CPUS_PER_TASK")]
    return max(min(limit for limit in limits if limit is not None), 1)


def number_in(variable: str) -> int | None:
    """The whole number, at least 1, in a variable of the environment (of "4,2", the first, as OpenMP reads it); None if there is none."""
    text = os.environ.get(variable, "").partition(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) else None


def _quota(cgroup: Path) -> int | None:
    """The cores that the container's quota of processor time amounts to, rounded up; None without a quota."""
    try:
        if (cgroup / "cpu.max").is_file():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            names = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
            quota, period = ((cgroup / name).read_text(encoding="ascii") for name in names)
        # "max" or -1: no quota
        return math.ceil(int(quota) / int(period)) if quota.strip().isdecimal() and int(quota) else None
    except (OSError, ValueError):
        return None
