"""Sources of training batches, made from collected steps: one for each kind of experience that an agent can ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.experience.replay import ReplayMemory
from recframe.interfaces import Replay, Rollout, Transition


class BatchSource(ABC):
    """Takes in each step of a chunk, then yields the batches to learn from."""

    @abstractmethod
    def add(self, transition: Transition) -> None:
        """Take in one step of N users."""

    @abstractmethod
    def batches(self) -> Iterator[Transition]:
        """The batches to learn from after a chunk."""

    def learned(self, priorities: Tensor | None) -> None:  # only prioritized replay needs it
        """Called after each batch with the agent's `Agent.priorities()` for it."""

    def state_dict(self) -> dict[str, Any]:
        """The state that must survive between chunks."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        if state:
            raise ValueError(f"this source has no state, but the checkpoint holds {', '.join(state)}")


class ReplayBatches(BatchSource):
    """Batches sampled from a replay memory."""

    def __init__(self, plan: Replay, seed: int, device: torch.device | str) -> None:
        self.plan = plan
        self.memory = ReplayMemory(
            plan.capacity,
            seed,
            device,
            n_step=plan.n_step,
            gamma=plan.gamma,
            priority_exponent=plan.priority_exponent,
            importance_exponent=plan.importance_exponent,
            importance_anneal_steps=plan.importance_anneal_steps,
        )

    def add(self, transition: Transition) -> None:
        """Store the step."""
        self.memory.add(transition)

    def batches(self) -> Iterator[Transition]:
        """`updates_per_chunk` batches, once `learning_starts` transitions are held."""
        if self.memory.size >= min(self.plan.learning_starts, self.plan.capacity):
            for _ in range(self.plan.updates_per_chunk):
                yield self.memory.sample(self.plan.batch_size)

    def learned(self, priorities: Tensor | None) -> None:
        """Store the priorities, if replay is prioritized."""
        if self.plan.priority_exponent == 0:
            return
        if priorities is None:
            raise ValueError("the agent asks for prioritized replay, but its priorities() is None: return them `[B]` after losses()")
        self.memory.set_priorities(priorities)

    def state_dict(self) -> dict[str, Any]:
        """The state of the replay memory."""
        return self.memory.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the replay memory."""
        self.memory.load_state_dict(state)


class RolloutBatches(BatchSource):
    """The whole chunk in order of time, once."""

    def __init__(self) -> None:
        self._steps: list[Transition] = []

    def add(self, transition: Transition) -> None:
        """Keep the step until the chunk is complete."""
        self._steps.append(transition)

    def batches(self) -> Iterator[Transition]:
        """One batch `[T, N]`."""
        chunk: Transition = torch.stack(self._steps)  # type: ignore[arg-type, assignment]  # TensorClass objects stack like tensors
        self._steps = []
        yield chunk


def batch_source_for(experience: Replay | Rollout, seed: int, device: torch.device | str) -> BatchSource:
    """The source of the experience that an agent asked for."""
    match experience:
        case Replay():
            return ReplayBatches(experience, seed, device)
        case Rollout():
            return RolloutBatches()
