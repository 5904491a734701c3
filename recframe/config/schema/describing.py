"""The schema of the config of `recframe data describe`: a dataset."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class DescribingConfig:
    """The dataset to describe."""

    dataset: Any = MISSING
