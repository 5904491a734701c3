"""The settings of `hydra/launcher=ray`. It imports no Ray."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _init() -> dict[str, Any]:
    return {"address": None, "num_cpus": None, "num_gpus": None, "include_dashboard": False, "logging_level": "WARNING"}


def _remote() -> dict[str, Any]:
    return {"num_cpus": 1, "num_gpus": 0, "max_retries": 3, "max_calls": None, "memory": None}


@dataclass
class RayConfig:
    """What is handed to Ray. Settings that are null are left to Ray; others of Ray's are added with a plus.

    init: the arguments of `ray.init`. `address` is that of a cluster that exists, "auto" that of this machine's; null starts Ray for this
        sweep on this machine. An address allows no `num_cpus` and `num_gpus`.
    remote: what one job takes, as for `ray.remote`. `max_retries` is how often a job is started again whose process or machine was lost.
    """

    init: dict[str, Any] = field(default_factory=_init)
    remote: dict[str, Any] = field(default_factory=_remote)


@dataclass
class RayLauncherConfig:
    """The config of `hydra/launcher=ray`.

    max_jobs: the largest number of jobs at a time; null: as many as the cluster has room for.
    """

    _target_: str = "hydra_plugins.recframe.RayLauncher"
    max_jobs: int | None = None
    ray: RayConfig = field(default_factory=RayConfig)
