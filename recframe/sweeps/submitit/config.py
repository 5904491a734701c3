"""The settings of the submitit launchers: those of hydra-submitit-launcher, with defaults for jobs that continue where they stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf, SlurmQueueConf

YEAR = 60 * 24 * 365


def _cores() -> int:
    return os.cpu_count() or 1


@dataclass
class SlurmConfig(SlurmQueueConf):  # type: ignore[misc]
    """max_num_timeout: how often a job is queued again when its time is over; it then goes on from its checkpoint."""

    _target_: str = "hydra_plugins.recframe.SlurmLauncher"
    max_num_timeout: int = 10


@dataclass
class LocalConfig(BaseQueueConf):  # type: ignore[misc]
    """array_parallelism: the largest number of jobs at a time; by default, the cores of this machine."""

    _target_: str = "hydra_plugins.recframe.LocalLauncher"
    timeout_min: int = YEAR
    array_parallelism: int = field(default_factory=_cores)
