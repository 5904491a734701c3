"""The log of a run: split before anything is fitted, and as tensors for training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import torch
from omegaconf import DictConfig
from torch import Tensor

from recframe.components import Component
from recframe.config import ConfigError
from recframe.experience import RewardSum, with_rewards
from recframe.interfaces import Data, DataError, EnvironmentSpec, Interactions, Log
from recframe.logs import HeldOut, LogSettings, build_log, split_log


@dataclass(frozen=True)
class RunLog:
    """The log of a run.

    train: the interactions that are learned from.   validation, test: held-out queries.   summary: counts, for result.json.
    """

    train: Interactions
    validation: HeldOut
    test: HeldOut
    summary: Mapping[str, Any]
    settings: LogSettings
    num_users: int
    num_items: int

    def to(self, device: torch.device) -> RunLog:
        """The same log with the queries on `device`."""
        return replace(self, validation=self.validation.to(device), test=self.test.to(device))

    def without_users(self, users: Tensor) -> RunLog:
        """The log without what the `users` `[p]` did in the training part."""
        return self._filtered(~pl.col("user").is_in(users.tolist()))

    def without_items(self, items: Tensor) -> RunLog:
        """The log without what anybody did with the `items` `[x]` in the training part."""
        return self._filtered(~pl.col("item").is_in(items.tolist()))

    def _filtered(self, kept: pl.Expr) -> RunLog:
        rows = self.train.frame.select(kept.alias("kept"))["kept"]
        features = self.train.features
        chosen = None if features is None else features[torch.from_numpy(rows.to_numpy())]
        return replace(self, train=replace(self.train, frame=self.train.frame.filter(rows), features=chosen))

    def training_log(self, rewards: RewardSum, spec: EnvironmentSpec) -> Log:
        """The training part as tensors with the run's rewards, on the device of `spec`."""
        log = build_log(self.train, self.num_users, self.num_items, self.settings).to(spec.device)
        return with_rewards(log, rewards, spec.history_length, spec.signals)


def split_run_log(cfg: DictConfig, data: Data) -> tuple[Data, RunLog]:
    """The data that everything may be fitted on, and the log with its held-out queries.

    Raises
    ------
    DataError: there are no interactions, or nothing can be held out.
    """
    if data.interactions is None:
        raise DataError("stages=[logged] needs logged interactions; this dataset has none")
    settings = LogSettings(**{str(name): cfg.logs[name] for name in cfg.logs})
    num_users = len(data.users) if data.users is not None else int(data.interactions.frame["user"].to_numpy().max()) + 1
    split = split_log(data.interactions, num_users, len(data.catalog), settings)
    counts = torch.bincount(torch.tensor(split.train.frame["item"].to_numpy()), minlength=len(data.catalog))
    known = data._replace(interactions=split.train, catalog=replace(data.catalog, popularity=counts.float()))
    return known, RunLog(split.train, split.validation, split.test, {}, settings, num_users, len(data.catalog))


def require_signals(rewards: Mapping[str, Component], signals: tuple[str, ...], source: str) -> None:
    """Check that a log has what the run's reward reads.

    Raises
    ------
    ConfigError: with a line for each term that reads a signal that is not among `signals`.
    """
    problems = [
        f"{key} reads the signal {tag.removeprefix('signal:')!r}, which the log {source} does not have; it has: {', '.join(signals)}"
        for key, component in rewards.items()
        for tag in sorted(component.requires)
        if tag.startswith("signal:") and tag.removeprefix("signal:") not in signals
    ]
    if problems:
        raise ConfigError(problems)
