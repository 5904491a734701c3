"""What a study and its trials hold in their database beside settings and values: the names of these attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# of a trial
WORKER, SWEEP, OVERRIDES, REASON, SEED_VALUES, STOPPED_AFTER, RETRY_OF, PLACE = (
    "worker",
    "sweep",
    "overrides",
    "reason",
    "seed_values",
    "stopped_after_seeds",
    "retry_of",
    "folder",
)
PLAIN_SEED = "seed_of_plain_folder"
"""The seed of the run whose folder is named by the trial alone: the trial was begun when each had one run."""

# of a study
SEARCH = "recframe search"
"""What it searches; of a study that follows another, it is written when all trials are there."""
FOLLOWS = "recframe follows"
"""The name of the study before."""
FOLLOWED_BY = "recframe followed by"
"""The study after: its name, and the folder, process and time at which it was begun. Nothing: there is none any more."""
MADE_BY = "recframe made by"
"""The same of a study that follows another, as who made it wrote it: of two that begin it at the same time, one can create it."""


def seed_values_of(trial: FrozenTrial) -> dict[int, tuple[float, ...]]:
    """The objectives of the seeds of a trial that are done, by seed."""
    known: Mapping[str, list[float]] = trial.user_attrs.get(SEED_VALUES, {})
    return {int(seed): tuple(values) for seed, values in known.items()}


def written_seed_values(values: Mapping[int, tuple[float, ...]]) -> dict[str, list[float]]:
    """The same as it is written into the database."""
    return {str(seed): list(one) for seed, one in values.items()}
