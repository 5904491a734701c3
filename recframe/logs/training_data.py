"""The data that everything fitted may see, once a log is split."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from recframe.interfaces import Data, Interactions, Role
from recframe.log_settings import LogSettings
from recframe.logs.build import clicks_of
from recframe.logs.split import SplitLog


def training_data(data: Data, split: SplitLog, settings: LogSettings) -> Data:
    """The data without what the held-out parts tell.

    - `interactions` are those to train on, and so is the text that users wrote (its column `text`) and their features.
    - `catalog.popularity` is the number of clicks among them, as `settings` say what a click is.
    - `ratings`, every user's rating of every item, and the dataset's own split `held_out` are left out.

    Items, users, their texts and attributes are all there, since what is described is known before it is met; what learns from texts is
    to learn from those of `texts_in_training`. So are `contexts`, which no logged interaction refers to.
    """
    clicked = torch.from_numpy(clicks_of(split.train, settings)) > 0
    counts = torch.bincount(_numbers(split.train, "item")[clicked], minlength=len(data.catalog))
    return data._replace(
        catalog=replace(data.catalog, popularity=counts.to(data.catalog.popularity)),
        interactions=split.train,
        ratings=None,
        held_out=None,
    )


def texts_in_training(train: Interactions) -> dict[Role, Tensor]:
    """The rows of items and of users that occur in these interactions, in order, by role: only their texts may be learned from.

    `[m]` int64, rows of the catalogue, and `[p]` int64, rows of `Data.users`.
    """
    return {"item": _numbers(train, "item").unique(), "user": _numbers(train, "user").unique()}


def _numbers(interactions: Interactions, column: str) -> Tensor:
    return torch.from_numpy(interactions.frame[column].to_numpy(writable=True))
