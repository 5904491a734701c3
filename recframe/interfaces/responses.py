"""Responses of people to random items, from which models of what people like are fitted."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ResponseLog(NamedTuple):
    """n responses to random items.

    people, sessions: `[n]` int64, any numbers; responses of one person, or in one session, have the same. Sessions have one person.
    items: `[n]` int64, rows of the catalogue.   signals: `[n, F]` float32, in the order of `EnvironmentSpec.signals`.
    rewards: `[n]` float32, the run's reward of each.
    repeated: `[n]` bool, whether the item was in the person's history when it was shown.
    """

    people: Tensor
    sessions: Tensor
    items: Tensor
    signals: Tensor
    rewards: Tensor
    repeated: Tensor

    def rows(self, chosen: Tensor) -> ResponseLog:
        """The responses in these rows."""
        return ResponseLog(*(part[chosen] for part in self))
