"""What N people think of their slates, as tensors on the CPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from recframe_plugins.environments.language_users.visits import Visit


class Afterwards(NamedTuple):
    """leave: `[N]` float32, the probability of leaving.   says: `[N, S]` float32, of each sentence; None if nobody says anything."""

    leave: Tensor
    says: Tensor | None


class Opinions(NamedTuple):
    """click: `[N, K]` float32, the probability of a click (0 or 1 from an answer).   rating: `[N, K]` float32, expected.

    usable: `[N]` bool, whether the model's answer could be used.   afterwards: what the same answers say of the rest, if they do.
    """

    click: Tensor
    rating: Tensor
    usable: Tensor
    afterwards: Afterwards | None = None


class Respondents(ABC):
    """Asks a language model to play people."""

    @abstractmethod
    def opinions(self, visits: Sequence[Visit]) -> Opinions:
        """What they think of their slates. All slates are of one size K.

        Raises
        ------
        BudgetExhausted: the next question would cost more than is allowed.
        """

    @abstractmethod
    def afterwards(self, visits: Sequence[Visit], clicks: Tensor) -> Afterwards:
        """Whether they then leave, and what they say, given their clicks `[N, K]`; only where `opinions` did not tell."""
