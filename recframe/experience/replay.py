"""Replay memory: a ring buffer of transitions in preallocated tensors on the run's device (Lin, 1992; Mnih et al., 2015)."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.experience.n_step import Ring, n_step_return
from recframe.experience.priorities import Priorities
from recframe.interfaces import Observation, Response, Transition, restore_generator


class ReplayMemory:
    """The last `capacity` transitions, sampled with replacement with a generator of its own.

    Parameters
    ----------
    n_step, gamma: when sampling, join up to `n_step` successive transitions of a user into one, discounted by `gamma`. The same users must
        then be added at each step, in the same order.
    priority_exponent: sample with probabilities proportional to priorities to this power (alpha); 0: uniformly.
    importance_exponent: power of the importance weights (beta), for prioritized sampling.
    importance_anneal_steps: transitions added while beta rises linearly to 1 (Schaul et al., 2016, section 3.4); None: beta is constant.
    """

    def __init__(
        self,
        capacity: int,
        seed: int,
        device: torch.device | str,
        *,
        n_step: int = 1,
        gamma: float = 1.0,
        priority_exponent: float = 0.0,
        importance_exponent: float = 0.4,
        importance_anneal_steps: int | None = None,
    ) -> None:
        self.capacity = capacity
        self.n_step = n_step
        self.gamma = gamma
        self.importance_start = importance_exponent
        self.importance_anneal_steps = importance_anneal_steps
        self.added = 0
        self.size = 0
        self.position = 0
        self.users = 0
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)
        self.priorities = Priorities(capacity, priority_exponent, device) if priority_exponent > 0 else None
        self._ring: Transition | None = None
        self._sampled: Tensor | None = None

    @property
    def importance_exponent(self) -> float:
        """The current beta."""
        start, steps = self.importance_start, self.importance_anneal_steps
        return start if steps is None else start + (1.0 - start) * min(self.added / steps, 1.0)

    def add(self, transition: Transition) -> None:
        """Add the transitions of N users, batch size `[N]`; they overwrite the oldest ones."""
        count = transition.batch_size[0]
        if count > self.capacity:
            raise ValueError(f"a replay memory of {self.capacity} transitions cannot take {count} at once")
        if self.n_step > 1 and self.users not in (0, count):
            raise ValueError(f"a replay memory with n_step > 1 needs the same users at each step: {count} follow {self.users}")
        if self._ring is None:
            self._ring = transition[:1].expand(self.capacity).clone()
        self.users = count
        self.added += count
        until_end = min(count, self.capacity - self.position)
        self._write(self.position, transition[:until_end])
        if until_end < count:
            self._write(0, transition[until_end:])
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def _write(self, start: int, transition: Transition) -> None:
        assert self._ring is not None
        end = start + transition.batch_size[0]
        self._ring[start:end] = transition
        if self.priorities is not None:
            self.priorities.set_largest(start, end)

    def sample(self, batch_size: int) -> Transition:
        """`batch_size` stored transitions; with `discount` if they span several steps, and with `weight` if sampling is prioritized."""
        if self._ring is None:
            raise ValueError("an empty replay memory cannot be sampled")
        if self.priorities is None:
            rows = torch.randint(self.size, (batch_size,), generator=self.generator, device=self.device)
            return self._at(rows)
        rows, weights = self.priorities.draw(batch_size, self.size, self.importance_exponent, self.generator)
        self._sampled = rows
        batch = self._at(rows)
        batch.weight = weights
        return batch

    def _at(self, rows: Tensor) -> Transition:
        ring = self._ring
        assert ring is not None
        batch = ring[rows]
        if self.n_step > 1:
            where, ended = Ring(self.capacity, self.position, self.users), ring.terminated | ring.truncated
            batch.reward, batch.discount, last = n_step_return(where, rows, ring.reward, ended, self.n_step, self.gamma)
            batch.next_observation = ring.next_observation[last]
            batch.terminated, batch.truncated = ring.terminated[last], ring.truncated[last]
        return batch

    def set_priorities(self, priorities: Tensor) -> None:
        """Set the priority of each transition of the last sample, `[B]` >= 0."""
        if self.priorities is None or self._sampled is None:
            raise ValueError("priorities can be set only after a prioritized replay memory was sampled")
        self.priorities.update(self._sampled, priorities)

    def state_dict(self) -> dict[str, Any]:
        """The stored transitions as dicts of tensors, without the unfilled part of the buffer."""
        return {
            "added": self.added,
            "size": self.size,
            "position": self.position,
            "users": self.users,
            "generator": self.generator.get_state(),
            "held": None if self._ring is None else _as_dict(self._ring[: self.size]),
            "priorities": None if self.priorities is None else self.priorities.state_dict(self.size),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved memory of the same capacity and options."""
        self.added, self.size = int(state["added"]), int(state["size"])
        self.position, self.users = int(state["position"]), int(state["users"])
        restore_generator(self.generator, state["generator"])
        self._ring = None
        if state["held"] is not None:
            held = _from_dict(state["held"]).to(self.device)
            self._ring = held[:1].expand(self.capacity).clone()
            self._ring[: self.size] = held
        if self.priorities is not None:
            self.priorities.load_state_dict(state["priorities"])


def _as_dict(transition: Transition) -> dict[str, Tensor]:
    """The tensors by their dotted names; fields that are None are left out."""
    flat = transition.to_tensordict().flatten_keys(".")
    names = [name for name in flat.keys() if flat[name] is not None]  # noqa: SIM118  # a TensorDict iterates over rows
    return {name: flat[name].clone() for name in names}


def _from_dict(leaves: dict[str, Tensor]) -> Transition:
    size = len(leaves["slate"])

    def below(prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): value for name, value in leaves.items() if name.startswith(prefix)}

    plain: dict[str, Any] = {name: value for name, value in leaves.items() if "." not in name}
    signals = TensorDict(below("response.signals."), batch_size=[size])
    return Transition(
        **plain,
        observation=Observation(**below("observation."), batch_size=[size]),
        next_observation=Observation(**below("next_observation."), batch_size=[size]),
        response=Response(signals=signals, leave=leaves["response.leave"], batch_size=[size]),
        batch_size=[size],
    )
