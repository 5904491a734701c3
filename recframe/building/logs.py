"""The log of a run: split before anything is fitted, and as tensors for training and evaluation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from recframe.components import Component
from recframe.config import ConfigError
from recframe.experience import RewardSum, with_rewards
from recframe.interfaces import Data, DataError, EnvironmentSpec, Interactions, Log
from recframe.logs import HeldOut, LogSettings, SplitSettings, build_log, k_core, split_log, training_data
from recframe.logs.ordering import has_sessions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunLog:
    """The log of a run.

    train: the interactions that are learned from.   known: those of training and validation, for references, which choose nothing.
    validation, test: held-out queries.   summary: counts, for result.json.
    test_rows: `[n]` int64, the rows of `test.log` that are held out for the test, for off-policy evaluation; None if the log does not say
        with what probability items were shown.
    """

    train: Interactions
    known: Interactions
    validation: HeldOut
    test: HeldOut
    summary: Mapping[str, Any]
    settings: LogSettings
    num_users: int
    num_items: int
    test_rows: Tensor | None = None

    def to(self, device: torch.device) -> RunLog:
        """The same log with the queries on `device`."""
        rows = None if self.test_rows is None else self.test_rows.to(device)
        return replace(self, validation=self.validation.to(device), test=self.test.to(device), test_rows=rows)

    def without_users(self, users: Tensor) -> RunLog:
        """The log without what the `users` `[p]` did before the test."""
        return self._filtered(~pl.col("user").is_in(users.tolist()))

    def without_items(self, items: Tensor) -> RunLog:
        """The log without what anybody did with the `items` `[x]` before the test."""
        return self._filtered(~pl.col("item").is_in(items.tolist()))

    def _filtered(self, kept: pl.Expr) -> RunLog:
        train, known = (one.where(one.frame.select(kept.alias("kept"))["kept"].to_numpy()) for one in (self.train, self.known))
        return replace(self, train=train, known=known)

    def training_log(self, rewards: RewardSum, spec: EnvironmentSpec) -> Log:
        """The training part as tensors with the run's rewards, on the device of `spec`."""
        return with_rewards(self._tensors(self.train, spec), rewards, spec.history_length, spec.signals)

    def known_log(self, spec: EnvironmentSpec) -> Log:
        """Training and validation as tensors, without rewards, on the device of `spec`."""
        return self._tensors(self.known, spec)

    def _tensors(self, interactions: Interactions, spec: EnvironmentSpec) -> Log:
        return build_log(interactions, self.num_users, self.num_items, self.settings).to(spec.device)


def split_run_log(cfg: DictConfig, data: Data) -> tuple[Data, RunLog]:
    """The data that everything may be fitted on, and the log with its held-out queries.

    Raises
    ------
    DataError: there are no interactions, or nothing can be held out.
    """
    if data.interactions is None:
        raise DataError("stages=[logged] needs logged interactions; this dataset has none")
    settings: LogSettings = OmegaConf.to_object(cfg.logs)  # type: ignore[assignment]
    by: SplitSettings = OmegaConf.to_object(cfg.split)  # type: ignore[assignment]
    with_propensities = "propensity" in data.interactions.frame.columns
    if with_propensities and by.min_item_interactions:
        raise DataError(
            f"split.min_item_interactions={by.min_item_interactions} drops decisions, but the propensities of the others are those of a "
            "choice among all items; leave it at 0"
        )
    data = k_core(data, by.min_user_interactions, by.min_item_interactions)
    assert data.interactions is not None
    num_users = len(data.users) if data.users is not None else int(data.interactions.frame["user"].to_numpy().max()) + 1
    if with_propensities and by.by == "random":
        other = "sessions" if has_sessions(data.interactions, settings) else "time"
        raise DataError(
            f"split.by=random loses the order of time, but what a policy decides depends on what was before; use split.by={other}"
        )
    if by.by == "random":
        log.warning(
            "split.by=random: what is learned from knows the future of what is asked, and histories have gaps; compare only with figures "
            "of such splits, and not those of models of sequences"
        )
    split = split_log(data.interactions, num_users, len(data.catalog), settings, by)
    validation, test, summary = split.validation, split.test, split.summary()
    if cfg.evaluation.exclude_seen:
        # what was met before may not be recommended, so that nothing could find it
        (validation, *_), (test, targets, queries) = validation.new_targets(), test.new_targets()
        if targets:
            log.warning(
                "%d of %d targets of the test were met before and are left out (evaluation.exclude_seen)", targets, len(split.test.targets)
            )
        summary |= {"dropped_targets": targets, "dropped_queries": queries}
        if not len(test) or not len(validation):
            raise DataError("every held-out item was met before by its user; use evaluation.exclude_seen=false")
    rows = split.rows_of_test(data.interactions, settings) if with_propensities else None
    return training_data(data, split, settings), RunLog(
        split.train, split.known, validation, test, summary, settings, num_users, len(data.catalog), rows
    )


def require_signals(rewards: Mapping[str, Component], signals: tuple[str, ...], source: str) -> None:
    """Check that a log has what the run's reward reads.

    Raises
    ------
    ConfigError: with a line for each term that reads a signal that is not among `signals`, or what users say, which no log has.
    """
    problems = [
        f"{key} reads the signal {tag.removeprefix('signal:')!r}, which the log {source} does not have; it has: {', '.join(signals)}"
        for key, component in rewards.items()
        for tag in sorted(component.requires)
        if tag.startswith("signal:") and tag.removeprefix("signal:") not in signals
    ]
    problems += [
        f"{key} reads what users say after each step, which a log does not have; leave it out, or use stages=[simulated]"
        for key, component in rewards.items()
        if "says" in component.requires
    ]
    if problems:
        raise ConfigError(problems)
