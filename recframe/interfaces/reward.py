"""Rewards: what the operator wants, one term each."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from recframe.interfaces.data import Catalog, Data
from recframe.interfaces.types import Transition


class Reward(ABC):
    """One term of the reward. Built as `factory(config)`.

    A term declares the response signals it reads in `Component.requires` ("signal:click"). A term whose value for an item depends on
    nothing but that item and its own signals also declares `provides={"itemwise"}`; only such terms can be used to rank single items by
    the truth (the oracle and greedy reference policies).
    """

    def prepare(self, data: Data) -> None:
        """Look up what the term needs of the data beside the catalogue; called once, before the first step. Most need nothing.

        `data` carries text vectors and labels as the encoder gave them, on the run's device, also where those that the agent reads are
        shuffled (`embeddings.shuffle`).

        Raises
        ------
        DataError: the data lack what the term needs.
        """

    @abstractmethod
    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The term for each item of each slate, float32 `[N, K]`, before its weight.

        `transition.reward` and `transition.item_reward` are zeros here: they are what is being computed. In evaluation the users given are
        those who are judged, fewer and fewer as sessions end.
        """
