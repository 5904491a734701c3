"""A study in its database, and what chooses and ends its trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from recframe.config import ConfigError
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError
from recframe.sweeps.optuna.attributes import SEARCH

DATABASE = "study.db"
JOURNAL = "journal:"
BUSY_SECONDS = 60
OPTUNA_DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {"max": "maximize", "min": "minimize"}

# recframe reports trials itself
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=ExperimentalWarning)


def open_storage(address: str | None, sweep: Path) -> BaseStorage:
    """The database at an address; without one, that in the folder of the sweep.

    Raises
    ------
    UserError: if it cannot be opened.
    """
    address = address or f"sqlite:///{sweep.absolute() / DATABASE}"
    try:
        if address.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(str(Path(address.removeprefix(JOURNAL)).expanduser().absolute())))
        # other processes write to the file, too
        wait = {"connect_args": {"timeout": BUSY_SECONDS}} if address.startswith("sqlite") else {}
        return RDBStorage(address, engine_kwargs=wait)
    # the libraries behind an address raise errors of many types
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        # the address itself may have a password in it
        raise UserError(
            f"hydra.sweeper.storage: the database cannot be opened ({type(error).__name__}: {reason}); write an address such as "
            "sqlite:////absolute/path.db or postgresql://user@host/name, or journal:FILE"
        ) from error


def create_study(
    storage: BaseStorage, name: str, directions: Sequence[str], settings: OptunaSweeperConfig, must_be_new: bool = False
) -> optuna.Study:
    """The study of that name, created if it is new. One without trials, of which nothing says what it searches, is taken for new.

    Parameters
    ----------
    directions: "max" or "min" of each objective.

    Raises
    ------
    DuplicatedStudyError: with `must_be_new`, if there is one.
    ConfigError: a database that others use, too, has an empty study of that name with other directions.
    """
    ways = [OPTUNA_DIRECTIONS[direction] for direction in directions]
    study = optuna.create_study(
        study_name=name, storage=storage, directions=ways, pruner=pruner_of(settings), load_if_exists=not must_be_new
    )
    unused = SEARCH not in study.user_attrs and not study.get_trials(deepcopy=False)
    if unused and (others := [way.name.lower() for way in study.directions]) != ways:
        if settings.storage is not None:
            raise ConfigError(
                [f"hydra.sweeper.study_name: the database has a study {name!r} with other directions ({', '.join(others)}); choose another"]
            )
        # its process died before it said what is searched
        optuna.delete_study(study_name=name, storage=storage)
        return create_study(storage, name, directions, settings)
    return study


def sampler_of(settings: OptunaSweeperConfig, number: int) -> BaseSampler:
    """What chooses the settings of the trial of this number.

    Each trial has a sampler with a seed of its own, so that a study that goes on in another process does not repeat its first trials.
    """
    seed = (settings.sampler_seed * 1_000_003 + number) % 2**32
    if settings.sampler == "gp":
        return GPSampler(seed=seed, n_startup_trials=settings.startup_trials, warn_independent_sampling=False)
    if settings.sampler == "nsgaii":
        return NSGAIISampler(seed=seed, population_size=settings.population_size)
    if settings.sampler == "tpe":
        return TPESampler(seed=seed, n_startup_trials=settings.startup_trials)
    # the trials of a grid are queued, with their settings
    return RandomSampler(seed=seed)


def pruner_of(settings: OptunaSweeperConfig) -> BasePruner:
    """What ends trials before their training is over. Its steps are the evaluations of a run, from 1."""
    if settings.pruner == "median":
        return MedianPruner(n_startup_trials=settings.pruner_startup_trials, n_warmup_steps=settings.pruner_warmup)
    return HyperbandPruner(min_resource=1) if settings.pruner == "hyperband" else NopPruner()
