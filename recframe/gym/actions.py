"""Action spaces for other libraries: actions are checked and converted to the slates that an environment takes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, Observation, allowed_items, is_excluded


class Actions(Protocol):
    """The action space of one user, and the conversion of the actions of N users for `Environment.step`."""

    space: spaces.Space[Any]

    def slates(self, actions: Any, observation: Observation) -> Tensor:
        """Slates `[N, K]` int64, or continuous actions `[N, A]` float32.

        Raises
        ------
        ValueError: `actions` are not N elements of `space`.
        """
        ...

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now, one row per user."""
        ...


def actions_of(spec: EnvironmentSpec) -> Actions:
    """The action space of an environment."""
    return ItemActions(spec) if spec.actions == "items" else ContinuousActions(spec)


class ItemActions:
    """Item numbers or, where there are candidates, positions in the candidate list (the convention of RecSim, Ie et al. 2019).

    The space is `Discrete(M)` or `Discrete(C)`, for slates `MultiDiscrete` with K such numbers. Every element of it is accepted:

    - A choice that is not allowed now (an excluded item, the `PAD` of a candidate list) is replaced by the next allowed one, counting
      upwards and continuing from 0. Learners can avoid such choices with `masks`.
    - A slate may contain an item twice; it is then shown twice, and the environment decides its effect. But if the environment excludes
      shown items, the items higher in the slate are excluded as well.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.num_choices = spec.num_candidates or spec.num_items
        single = spec.slate_size == 1
        self.space: spaces.Space[Any] = (
            spaces.Discrete(self.num_choices) if single else spaces.MultiDiscrete([self.num_choices] * spec.slate_size)
        )
        self._shape = (spec.num_users,) if single else (spec.num_users, spec.slate_size)
        self._range = f"{'candidates' if spec.num_candidates else 'items'} are numbered from 0 to {self.num_choices - 1}"

    def slates(self, actions: Any, observation: Observation) -> Tensor:
        """See `Actions`; `actions` are integers `[N]`, or `[N, K]` for slates."""
        numbers = _of_shape(actions, self._shape)
        if numbers.dtype.kind not in "iu":
            raise ValueError(f"actions must be integers, not {numbers.dtype}: {self._range}")
        wrong = (numbers < 0) | (numbers >= self.num_choices)
        if wrong.any():
            first = tuple(np.argwhere(wrong)[0])
            raise ValueError(f"action {numbers[first]} of user {first[0]} is out of range: {self._range}")
        users, size = self.spec.num_users, self.spec.slate_size
        choices = torch.from_numpy(numbers.astype(np.int64).reshape(users, size)).to(self.spec.device)
        allowed = self._allowed(observation)
        if allowed is not None:
            choices = self._once_each(allowed, choices) if self.spec.num_excluded else next_allowed(allowed, choices)
        candidates = observation.candidates
        return choices if candidates is None else candidates.gather(1, choices)

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """See `Actions`; `[N, M]` or `[N, C]`, for slates one such mask per place in a row, `[N, K M]` or `[N, K C]`."""
        allowed = self._allowed(observation)
        if allowed is None:
            return np.ones((self.spec.num_users, self.spec.slate_size * self.num_choices), np.bool_)
        return allowed.repeat(1, self.spec.slate_size).cpu().numpy()

    def _once_each(self, allowed: Tensor, choices: Tensor) -> Tensor:
        """Apply `next_allowed` place by place; items higher in the slate are no longer allowed."""
        taken = []
        for place in range(choices.shape[1]):
            taken.append(next_allowed(allowed, choices[:, place : place + 1]))
            allowed = allowed.scatter(1, taken[-1], False)
        return torch.cat(taken, dim=1)

    def _allowed(self, observation: Observation) -> Tensor | None:
        """Which choices are allowed, `[N, M]` or `[N, C]` bool; None: all of them."""
        candidates = observation.candidates
        if candidates is not None:
            return (candidates != PAD) & ~is_excluded(observation, candidates)
        if observation.excluded is None:
            return None
        scores = torch.zeros(self.spec.num_users, self.spec.num_items, device=self.spec.device)
        return allowed_items(observation, scores).isfinite()


def next_allowed(allowed: Tensor, choices: Tensor) -> Tensor:
    """For each of `choices` `[N, K]`, the first allowed number, counting upwards from the choice and continuing from 0.

    `allowed` is `[N, C]` bool. A user without any allowed number keeps the choice.
    """
    num_choices = allowed.shape[1]
    numbers = torch.arange(num_choices, device=allowed.device).expand_as(allowed).masked_fill(~allowed, num_choices)
    # for each number, the smallest allowed number from it upwards; `num_choices` if there is none
    following = numbers.flip(1).cummin(dim=1).values.flip(1)
    following = torch.where(following < num_choices, following, following[:, :1])
    found = following.gather(1, choices)
    return torch.where(found < num_choices, found, choices)


class ContinuousActions:
    """Real vectors within the environment's bounds: the space is a `Box` of A numbers."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.space: spaces.Space[Any]
        self._low, self._high = np.array(spec.action_low, np.float32), np.array(spec.action_high, np.float32)
        self.space = spaces.Box(self._low, self._high)

    def slates(self, actions: Any, observation: Observation) -> Tensor:
        """See `Actions`; `actions` are real numbers, `[N, A]`."""
        values = _of_shape(actions, self.spec.action_shape)
        if values.dtype.kind not in "iuf":
            raise ValueError(f"actions must be real numbers, not {values.dtype}")
        numbers = values.astype(np.float32)
        # written so that NaN is out of bounds
        wrong = ~((numbers >= self._low) & (numbers <= self._high))
        if wrong.any():
            user, place = np.argwhere(wrong)[0]
            bounds = f"[{self._low[place]:g}, {self._high[place]:g}]"
            raise ValueError(f"action {numbers[user, place]:g} of user {user} at place {place} is not in {bounds}; clip it")
        return torch.from_numpy(numbers).to(self.spec.device)

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """Always raises ValueError: real numbers cannot be masked."""
        raise ValueError("action_masks is for environments whose actions are items; here actions are real numbers")


def _of_shape(actions: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    found = np.asarray(actions)
    if found.shape != shape:
        raise ValueError(f"actions have shape {list(shape)}, not {list(found.shape)}")
    return found
