"""The settings of `hydra/sweeper=optuna`, a search of settings. It imports no Optuna."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recframe.components import option, seed_option

TARGET = "hydra_plugins.recframe.OptunaSweeper"
"""The name under which Hydra finds the sweeper: it instantiates plugins of the package `hydra_plugins` only."""


@dataclass
class OptunaSweeperConfig:
    """A search of settings with Optuna: how settings are chosen, how many, and by what they are judged."""

    _target_: str = TARGET
    sampler: str = option(
        "tpe",
        "how settings are chosen: by a tree-structured Parzen estimator, a Gaussian process, at random, all combinations, or by NSGA-II",
        choices=["tpe", "gp", "random", "grid", "nsgaii"],
    )
    sampler_seed: int = seed_option(0, "seed of that choice, independent of the seeds of the runs")
    startup_trials: int = option(10, "trials with random settings before tpe and gp learn from the others", ge=1)
    population_size: int = option(16, "trials of one generation of nsgaii", ge=2)
    n_trials: int | None = option(None, "trials of the whole study, with those of earlier starts; null: 20, or with grid all", ge=1)
    n_jobs: int | None = option(None, "jobs that are started together; null: as many as the launcher runs at a time", ge=1)
    objectives: list[str] = option(
        [], "metrics of a run that are optimized, on people of the training split; none: the one that the run monitors"
    )
    directions: list[str] = option(
        [], "whether a larger or a smaller value of each objective is better; none: as the run monitors it", choices=["max", "min"]
    )
    pruner: str = option(
        "none", "which trials end before their training is over, judged at each evaluation", choices=["none", "median", "hyperband"]
    )
    pruner_startup_trials: int = option(5, "finished trials before median ends one", ge=0)
    pruner_warmup: int = option(0, "evaluations of a run before median ends it", ge=0)
    hopeless: float | None = option(
        0.05, "with several seeds, level of the test that ends a trial after some of them; null: all seeds are run", gt=0, lt=0.5
    )
    storage: str | None = option(
        None, "address of the study's database, as SQLAlchemy writes it, or journal:FILE; null: study.db in the folder of the sweep"
    )
    study_name: str | None = option(None, "name of the study in its database; null: the name of the sweep's folder, when it is created")
    params: dict[str, Any] | None = option(None, "settings to search, as on the command line, for a file in conf/study/")
    trial: int | None = option(None, "the trial that a job belongs to; the sweeper sets it for its jobs")
