"""From collected steps to training batches, one source for each kind of experience an agent may ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.experience.replay import ReplayMemory
from recframe.interfaces import Observation, Replay, Rollout, Transition


class Source(ABC):
    """Takes in each step of a chunk, then gives the batches to learn from."""

    @abstractmethod
    def add(self, transition: Transition) -> None:
        """Take in one step of N users."""

    @abstractmethod
    def batches(self) -> Iterator[Transition]:
        """The batches to learn from after a chunk."""

    def learned(self, priorities: Tensor | None) -> None:  # most sources need not know
        """Called after each batch with `Agent.priorities()`, what is still to be learned from it."""

    def state_dict(self) -> dict[str, Any]:
        """What must survive between chunks."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what survived."""
        if state:
            raise ValueError(f"this source keeps nothing between chunks, yet the checkpoint holds {', '.join(state)}")


class ReplaySource(Source):
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
        """Remember the step."""
        self.memory.add(transition)

    def batches(self) -> Iterator[Transition]:
        """`updates_per_chunk` batches, once `learning_starts` transitions are held."""
        if self.memory.size >= min(self.plan.learning_starts, self.plan.capacity):
            for _ in range(self.plan.updates_per_chunk):
                yield self.memory.sample(self.plan.batch_size)

    def learned(self, priorities: Tensor | None) -> None:
        """Prioritized replay remembers it."""
        if self.plan.priority_exponent == 0:
            return
        if priorities is None:
            raise ValueError("the agent asks for prioritized replay, but its priorities() is None: return them `[B]` after losses()")
        self.memory.set_priorities(priorities)

    def state_dict(self) -> dict[str, Any]:
        """The memory."""
        return self.memory.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The memory."""
        self.memory.load_state_dict(state)


class RolloutSource(Source):
    """The chunk itself, whole and in order, once."""

    def __init__(self) -> None:
        self._steps: list[Transition] = []

    def add(self, transition: Transition) -> None:
        """Keep the step until the chunk is complete."""
        self._steps.append(transition)

    def batches(self) -> Iterator[Transition]:
        """One batch `[T, N]`."""
        chunk = torch.stack(self._steps)  # type: ignore[call-overload]  # tensorclasses stack like tensors
        self._steps = []
        yield chunk


class SharedExclusions(Source):
    """Another source, which is spared the items that every observation excludes: they are taken off, and put back on its batches.

    A replay memory would hold them once for each observation; a batch holds a view of one list.

    Parameters
    ----------
    items: `[X]` int64, the last columns of every observation's `excluded`.
    """

    def __init__(self, source: Source, items: Tensor) -> None:
        self.source = source
        self.items = items

    def add(self, transition: Transition) -> None:
        """Hand the step on without them."""
        self.source.add(_with_observations(transition, self._without))

    def batches(self) -> Iterator[Transition]:
        """The source's batches, with them."""
        for batch in self.source.batches():
            yield _with_observations(batch, self._with)

    def learned(self, priorities: Tensor | None) -> None:
        """The source is told."""
        self.source.learned(priorities)

    def state_dict(self) -> dict[str, Any]:
        """The source's."""
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The source's."""
        self.source.load_state_dict(state)

    def _without(self, excluded: Tensor | None, _shape: torch.Size) -> Tensor | None:
        assert excluded is not None
        own = excluded.shape[-1] - len(self.items)
        return excluded[..., :own] if own else None

    def _with(self, excluded: Tensor | None, shape: torch.Size) -> Tensor:
        everybody = self.items.expand(*shape, -1)
        return everybody if excluded is None else torch.cat([excluded, everybody], dim=-1)


def source_for(experience: Replay | Rollout, seed: int, device: torch.device | str, always_excluded: Tensor | None = None) -> Source:
    """The source an agent asked for; `always_excluded` `[X]` are the last columns of every observation's `excluded`."""
    match experience:
        case Replay():
            source: Source = ReplaySource(experience, seed, device)
        case Rollout():
            source = RolloutSource()
    return source if always_excluded is None else SharedExclusions(source, always_excluded)


def _with_observations(transition: Transition, change: Callable[[Tensor | None, torch.Size], Tensor | None]) -> Transition:
    """The transition, the `excluded` of whose two observations, of the given batch size, are changed; nothing else is copied."""
    copy: Transition = transition.clone(recurse=False)
    for name in ("observation", "next_observation"):
        observation: Observation = getattr(transition, name).clone(recurse=False)
        observation.excluded = change(observation.excluded, observation.batch_size)
        setattr(copy, name, observation)
    return copy
