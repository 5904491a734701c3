"""Policies that rank items: what an evaluation on logs takes."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from recframe.interfaces.types import Observation


class Ranker(Protocol):
    """A policy that ranks items: an agent with the tag `ranks`, or any object with these two members.

    One that is also a context manager is entered for the duration of an evaluation.
    """

    @property
    def reads_whole_history(self) -> bool:
        """Whether `rank` is given the whole history of a user in place of the last H items."""
        ...

    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k items to recommend first, `[N, k]` int64, best first; `PAD` at the end where fewer may be recommended."""
        ...
