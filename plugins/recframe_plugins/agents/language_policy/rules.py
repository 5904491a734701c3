"""Learning rules: how a language policy learns from the batches of a stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recframe.interfaces import Experience, Log
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy

OPTIMIZER = "policy"
"""The name of the policy's only optimizer."""


class LearningRule(ABC):
    """A rule of one stage.

    Implement:

    - `experience` (property): where its batches come from.
    - `losses(agent, batch)`: yields the losses of a batch, one for each optimizer step, for the optimizer `OPTIMIZER`.

    Optional: `prepare_to_learn`; `state_dict` and `load_state_dict`, for what must survive between batches. A rule that compares the policy
    with its reference (`agent.reference`) asks for it in `losses`, with the stage that it belongs to.
    """

    def __init__(self, config: LanguagePolicyConfig) -> None:
        self.config = config

    @property
    @abstractmethod
    def experience(self) -> Experience:
        """Where the training batches come from."""

    @abstractmethod
    def losses(self, agent: LanguagePolicy, batch: Any) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch; measures of the update go into `agent.latest`."""

    def prepare_to_learn(self, log: Log) -> None:
        """Called before the batches of a logged stage, and before `experience`, with the log that they are drawn from."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
