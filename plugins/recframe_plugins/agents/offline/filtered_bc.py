"""Filtered behaviour cloning: imitation of the best sequences alone, the baseline of return-conditioned policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, SequenceBatch, StateTracker
from recframe.item_agents import Items
from recframe_plugins.agents.offline.config import FilteredBCConfig
from recframe_plugins.agents.offline.returns import RecentReturns
from recframe_plugins.agents.sequence_models.sequence_model import SequenceModel

RECENT = 10_000
"""Returns among which the best share is found."""


class FilteredBC(SequenceModel):
    """A sequence model of the `share` of the sequences with the highest returns (10 % BC of Chen et al., 2021, arXiv:2106.01345).

    The return of a sequence is the sum, or by `filter_by=mean` the mean, of its rewards; of a long sequence, of those in the window that
    was drawn. A batch learns from its sequences that are among the best of the last 10,000; one without any is skipped. By the sum, long
    sequences are the best ones where rewards are not negative.
    """

    config: FilteredBCConfig

    def __init__(self, config: FilteredBCConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.returns = RecentReturns(RECENT, spec.device)

    def learn(self, batch: Any, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The sequence model's loss of the best sequences of a `SequenceBatch`."""
        returns = self.return_of(batch)
        self.returns.add(returns)
        best = returns >= self.returns.quantile(1.0 - self.config.share)
        if best.any():
            yield from super().learn(batch[best], items)

    def return_of(self, batch: SequenceBatch) -> Tensor:
        """The return of each sequence, `[B]`."""
        total = batch.reward.sum(dim=1)
        return total / (batch.item != PAD).sum(dim=1) if self.config.filter_by == "mean" else total

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The least return that is imitated."""
        return super().diagnostics() | {"least_return": self.returns.quantile(1.0 - self.config.share)}
