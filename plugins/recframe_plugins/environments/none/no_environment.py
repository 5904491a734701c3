"""The environment of a run without a simulator: it only says what a log looks like."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from recframe.interfaces import Data, DataError, Environment, EnvironmentSpec, Observation, Split, Step
from recframe.logs import logged_signals
from recframe_plugins.environments.none.config import NoEnvironmentConfig


class NoEnvironment(Environment):
    """No users to show items to. Its `spec` describes the sessions of a log: one item a turn, and the log's signals.

    Raises
    ------
    DataError: the data has no interactions.
    """

    def __init__(
        self, config: NoEnvironmentConfig, data: Data, *, num_users: int, history_length: int, split: Split, device: torch.device | str
    ) -> None:
        if data.interactions is None:
            raise DataError("environment=none needs logged interactions; this dataset has none")
        features = data.interactions.features
        self.spec = EnvironmentSpec(
            num_users=num_users,
            slate_size=1,
            history_length=history_length,
            num_items=len(data.catalog),
            signals=logged_signals(data.interactions.feedback),
            num_features=0 if features is None else features.shape[1],
            has_users=data.users is not None,
            device=torch.device(device),
        )

    def reset(self, seed: int) -> Observation:
        """There are no sessions to start."""
        self._refuse()

    def step(self, slate: Tensor) -> Step:
        """There is nobody to show items to."""
        self._refuse()

    def state_dict(self) -> dict[str, Any]:
        """There is no state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """There is no state."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotImplementedError("environment=none simulates nobody: a run without a simulator has stages=[logged]")
