"""What environment and agent handed over in a chunk, kept to find the first value that is not finite."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recframe.attribution.tensors import not_finite
from recframe.interfaces import Environment, Observation, Step

REWARD_NOT_FINITE = "its value is NaN or infinite, although the environment's signals and observations are finite"
"""What is wrong with a reward whose value is the first that is not finite."""


class Evidence:
    """References to the small tensors of each step of a chunk; nothing is copied or computed before `problem` is asked for."""

    def __init__(self, environment: Environment, policy: Any) -> None:
        self.environment = environment
        self.policy = policy
        self._steps: list[list[tuple[Any, str, Any]]] = []
        self._last: Observation | None = None

    def add(self, slate: Tensor, step: Step) -> None:
        """Take in a step. Histories are large, and hold the signals again: only the last are kept."""
        given: list[tuple[Any, str, Any]] = [(self.policy, "the action of act", slate)]
        given += [(self.environment, f"the response signal {name!r}", value) for name, value in step.response.signals.items()]
        given.append((self.environment, "features of its observation", step.next_observation.features))
        self._steps.append(given)
        self._last = step.next_observation

    def problem(self) -> tuple[Any, str] | None:
        """The component that was the first to give NaN or an infinite number, and which value it was; None: all are finite."""
        last = None if self._last is None else self._last.history_feedback
        for component, what, value in [*(one for step in self._steps for one in step), (self.environment, "history_feedback", last)]:
            if isinstance(value, Tensor) and (found := not_finite(value, what)) is not None:
                return component, found
        return None
