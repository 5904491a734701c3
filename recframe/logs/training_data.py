"""The data that everything fitted may see, once a log is split."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Data, Interactions
from recframe.logs.split import SplitLog


class InTraining(NamedTuple):
    """What occurs in training: only its texts may be fitted on.

    items: `[m]` int64, rows of the catalogue, in order.   users: `[p]` int64, rows of `Data.users`, in order.
    """

    items: Tensor
    users: Tensor


def training_data(data: Data, split: SplitLog) -> Data:
    """The data without what the held-out parts tell.

    - `interactions` are those to train on, and so is the text that users wrote (its column `text`) and their features.
    - `catalog.popularity` is counted from them.
    - `ratings`, every user's rating of every item, and the dataset's own split `held_out` are left out.

    Items, users, their texts and attributes are all there, since what is described is known before it is met; what learns from texts is
    to learn from those of `in_training`. So are `contexts`, which no logged interaction refers to.
    """
    counts = torch.bincount(_numbers(split.train, "item"), minlength=len(data.catalog))
    return data._replace(
        catalog=replace(data.catalog, popularity=counts.to(data.catalog.popularity)),
        interactions=split.train,
        ratings=None,
        held_out=None,
    )


def in_training(train: Interactions) -> InTraining:
    """The items and users that occur in these interactions."""
    return InTraining(_numbers(train, "item").unique(), _numbers(train, "user").unique())


def _numbers(interactions: Interactions, column: str) -> Tensor:
    return torch.from_numpy(interactions.frame[column].to_numpy(writable=True))
