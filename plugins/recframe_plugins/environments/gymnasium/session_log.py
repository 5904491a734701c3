"""Log of Gymnasium sessions from which they can be restored: the seed and all actions of each session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CAPACITY = 64
"""Initial capacity in actions per session; doubled when needed."""


class SessionLog:
    """Seeds and actions of the current sessions, on the host.

    seeds: `[N]` int64.   steps: `[N]` int64, actions taken so far.   actions: `[N, L, A]`; those of session n are `actions[n, :steps[n]]`.
    """

    def __init__(self, seeds: Tensor, action_size: int, dtype: torch.dtype) -> None:
        self.seeds = seeds.cpu()
        self.steps = torch.zeros_like(self.seeds)
        self.actions = torch.zeros(len(seeds), CAPACITY, action_size, dtype=dtype)

    def append(self, actions: Tensor) -> None:
        """Append the next action of every session, `[N, A]`."""
        if int(self.steps.max()) == self.actions.shape[1]:
            self.actions = torch.cat([self.actions, torch.zeros_like(self.actions)], dim=1)
        self.actions[torch.arange(len(self.steps)), self.steps] = actions.cpu()
        self.steps = self.steps + 1

    def restart(self, finished: Tensor, seeds: Tensor) -> None:
        """Restart the sessions where `finished` `[N]` is True, from their entries in `seeds` `[N]`."""
        self.seeds = torch.where(finished, seeds.cpu(), self.seeds)
        self.steps = self.steps.masked_fill(finished, 0)

    def sessions(self) -> Iterator[Tensor]:
        """The actions of each session so far, `[T_n, A]`."""
        return (actions[:steps] for actions, steps in zip(self.actions, self.steps.tolist(), strict=True))

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors, without unused capacity."""
        return {"seeds": self.seeds, "steps": self.steps, "actions": self.actions[:, : int(self.steps.max())].clone()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SessionLog:
        """The log that `state_dict` saved."""
        saved = state["actions"].cpu()
        log = cls(state["seeds"], saved.shape[2], saved.dtype)
        log.steps = state["steps"].cpu()
        log.actions = torch.cat([saved, log.actions], dim=1)
        return log
