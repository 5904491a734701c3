"""What answers requests: the interface of an endpoint's client and of a model that is loaded here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recframe.llm.budget import Budget
from recframe.llm.messages import Completion, Request


class ChatBackend(ABC):
    """Answers requests, several at once, as far as the budget allows."""

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """What tells the model from every other one, for JSON; part of the key of each answer in the cache."""

    @abstractmethod
    def complete(self, requests: Sequence[Request], budget: Budget) -> Iterator[tuple[int, Completion]]:
        """Answers as they arrive, each with the number of its request, counted from 0.

        Each call is reserved in the budget before it is made, and settled after.

        Raises
        ------
        BudgetExhausted: if no further call may be made; all answers before have been given.
        recframe.errors.ModelError: if the model cannot be reached or used; one line.
        """
