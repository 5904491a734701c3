"""Replay memory: a ring of transitions in preallocated tensors on the run's device (Lin, 1992; Mnih et al., 2015)."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict

from recframe.interfaces import Observation, Response, Transition


class ReplayMemory:
    """The last `capacity` transitions, sampled uniformly with replacement from a generator of its own."""

    def __init__(self, capacity: int, seed: int, device: torch.device | str) -> None:
        self.capacity = capacity
        self.size = 0
        self.position = 0
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)
        self._ring: Transition | None = None

    def add(self, transition: Transition) -> None:
        """Append the transitions of N users, batch size `[N]`, over the oldest ones."""
        if self._ring is None:
            self._ring = transition[:1].expand(self.capacity).clone()
        count = transition.batch_size[0]
        if count > self.capacity:
            raise ValueError(f"a replay memory of {self.capacity} transitions cannot take {count} at once")
        until_end = min(count, self.capacity - self.position)
        self._ring[self.position : self.position + until_end] = transition[:until_end]
        if until_end < count:
            self._ring[: count - until_end] = transition[until_end:]
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, batch_size: int) -> Transition:
        """`batch_size` transitions, drawn uniformly from what is held."""
        if self._ring is None:
            raise ValueError("an empty replay memory cannot be sampled")
        rows = torch.randint(self.size, (batch_size,), generator=self.generator, device=self.device)
        return self._ring[rows]

    def state_dict(self) -> dict[str, Any]:
        """What is held, as nested dicts of tensors; the unfilled part of the ring is left out."""
        held = None if self._ring is None else _as_dict(self._ring[: self.size])
        return {"size": self.size, "position": self.position, "generator": self.generator.get_state(), "held": held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved memory of the same capacity."""
        self.size, self.position = int(state["size"]), int(state["position"])
        self.generator.set_state(state["generator"].cpu())
        self._ring = None
        if state["held"] is not None:
            held = _from_dict(state["held"]).to(self.device)
            self._ring = held[:1].expand(self.capacity).clone()
            self._ring[: self.size] = held


def _as_dict(transition: Transition) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in _leaves(transition).items()}


def _leaves(transition: Transition) -> dict[str, torch.Tensor]:
    flat = transition.to_tensordict().flatten_keys(".")
    return {name: flat[name] for name in flat.keys() if flat[name] is not None}  # noqa: SIM118  # a TensorDict iterates over rows


def _from_dict(leaves: dict[str, torch.Tensor]) -> Transition:
    size = len(leaves["slate"])

    def below(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): value for name, value in leaves.items() if name.startswith(prefix)}

    plain = {name: value for name, value in leaves.items() if "." not in name}
    signals = TensorDict(below("response.signals."), batch_size=[size])
    return Transition(
        **plain,
        observation=Observation(**below("observation."), batch_size=[size]),
        next_observation=Observation(**below("next_observation."), batch_size=[size]),
        response=Response(signals=signals, leave=leaves["response.leave"], batch_size=[size]),
        batch_size=[size],
    )
