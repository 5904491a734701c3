"""The study of a search in its database: opened, checked for being the same search, and with what chooses and ends its trials."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from recframe.config import ConfigError
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError

DATABASE = "study.db"
JOURNAL = "journal:"
SEARCH = "recframe search"
"""The attribute of a study that describes what it searches."""
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
    settings: OptunaSweeperConfig, sweep: Path, directions: Sequence[str], described: dict[str, Any], name: str
) -> optuna.Study:
    """The study of that name, created if it is new.

    Parameters
    ----------
    directions: "max" or "min" of each objective.   described: what is searched, in plain values.

    Raises
    ------
    ConfigError: if there is a study of that name that searches something else.
    """
    try:
        study = optuna.create_study(
            study_name=name,
            storage=open_storage(settings.storage, sweep),
            directions=[OPTUNA_DIRECTIONS[direction] for direction in directions],
            pruner=pruner_of(settings),
            load_if_exists=True,
        )
        plain = json.loads(json.dumps(described))
        before = study.user_attrs.get(SEARCH)
        if before is None:
            study.set_user_attr(SEARCH, plain)
    except StorageInternalError as error:
        raise UserError(f"hydra.sweeper.storage: the database fails: {' '.join(str(error).split())}") from error
    if before is not None and before != plain:
        differing = sorted(key for key in {*before, *plain} if before.get(key) != plain.get(key))
        details = "; ".join(f"{key}: {_told(before.get(key))}, now {_told(plain.get(key))}" for key in differing)
        raise ConfigError(
            [f"the study {name!r} is another search ({details}); repeat its settings, or choose another folder with hydra.sweep.dir="]
        )
    return study


def _told(value: Any) -> str:
    return json.dumps(value) if value else "nothing"


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
