"""How many jobs of a search are started together: as many as the launcher runs at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.sweeps.side_by_side import jobs_on_this_machine, jobs_under_ray

log = logging.getLogger(__name__)


def jobs_together(settings: OptunaSweeperConfig, launcher: Mapping[str, Any], cores: int) -> int:
    """The number of jobs in a round, by the settings of the search and of its launcher on a machine of `cores` cores."""
    if settings.n_jobs is not None:
        return settings.n_jobs
    if "ray" in launcher:
        return _of_ray(launcher, cores)
    if "array_parallelism" in launcher and "max_num_timeout" in launcher:
        # a queue's limit is beyond most searches; in a round, no trial learns from another
        return min(int(launcher["array_parallelism"]), _round(settings))
    return jobs_on_this_machine(launcher, cores)


def _of_ray(launcher: Mapping[str, Any], cores: int) -> int:
    if launcher["max_jobs"] is not None:
        return int(launcher["max_jobs"])
    if (room := jobs_under_ray(launcher, cores)) is None:
        log.warning("one job at a time: how many a cluster has room for is not known here; say it with hydra.sweeper.n_jobs")
        return 1
    return room


def _round(settings: OptunaSweeperConfig) -> int:
    """The trials of a round that learns from the rounds before it."""
    if settings.sampler == "nsgaii":
        return settings.population_size
    return settings.startup_trials if settings.sampler in ("tpe", "gp") else 2**31
