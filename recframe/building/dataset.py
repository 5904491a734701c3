"""Loading a dataset, and the check that a plugin's data can be used."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from recframe.attribution import Problem, blaming, require_sound
from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.interfaces import Catalog, Data, Dataset


def load_dataset(section: DictConfig) -> Data:
    """The data of the dataset that a section of a config describes.

    Raises
    ------
    ComponentFailure: if the dataset fails, or its data breaks the contract of `Data`.
    """
    dataset: Dataset = build(component_of(Kind.DATASET, section), section)
    with blaming(dataset):
        data = dataset.load()
        problem = _problem(data)
    require_sound(dataset, problem)
    return data


def _problem(data: Any) -> Problem:
    if not isinstance(data, Data):
        return f"load() returned a {type(data).__name__}; right is a recframe.interfaces.Data"
    if not isinstance(data.catalog, Catalog):
        return f"load() returned a {type(data.catalog).__name__} as the catalogue; right is a recframe.interfaces.Catalog"
    popularity: Any = data.catalog.popularity
    if not isinstance(popularity, Tensor) or not popularity.is_floating_point() or not bool((popularity >= 0).all()):
        given = popularity.dtype if isinstance(popularity, Tensor) else type(popularity).__name__
        return f"the popularity of its catalogue is {given}; right is a float32 tensor of numbers that are not negative, one for each item"
    return _interactions_problem(data)


def _interactions_problem(data: Data) -> Problem:
    """Whether the log names items or users that there are not, which would fail much later."""
    if data.interactions is None or not len(data.interactions):
        return None
    limits = {"item": len(data.catalog), "user": None if data.users is None else len(data.users)}
    for column, limit in limits.items():
        numbers = data.interactions.frame[column]
        if not numbers.dtype.is_integer() or numbers.null_count():
            return f"the column {column!r} of its interactions is {numbers.dtype}; right are int64 numbers, none of them null"
        for number in (numbers.min(), numbers.max()):
            if not isinstance(number, int) or number < 0 or (limit is not None and number >= limit):
                right = "0 or more" if limit is None else f"0 to {limit - 1}, rows of its {column}s"
                return f"its interactions hold the {column} number {number!r}; right are {right}"
    return None
