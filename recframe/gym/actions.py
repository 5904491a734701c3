"""Actions as other libraries number them, checked and turned into the slates that an environment takes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, Observation, allowed_items, is_excluded


class Actions(Protocol):
    """The actions of one user, and how those of N users become what `Environment.step` takes."""

    space: spaces.Space[Any]

    def slates(self, actions: Any, observation: Observation) -> Tensor:
        """What to show, `[N, K]` int64 or `[N, A]` float32.

        Raises
        ------
        ValueError: `actions` are not N members of `space`.
        """
        ...

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """Which actions may be taken now, one row a user."""
        ...


def actions_of(spec: EnvironmentSpec) -> Actions:
    """The actions of an environment."""
    return ItemActions(spec) if spec.actions == "items" else ContinuousActions(spec)


class ItemActions:
    """Item numbers or, where there are candidates, positions in the candidate list (the convention of RecSim, Ie et al. 2019).

    The space is `Discrete(M)` or `Discrete(C)`, for slates `MultiDiscrete` with K such numbers. Every member of it can be taken:

    - A choice that may not be shown now (an excluded item, a candidate list's `PAD`) is replaced by the next that may, counting
      upwards and on from 0. `masks` says which those are, for learners that can avoid them.
    - A slate may hold an item twice; it is shown twice, and what that is worth is the environment's to say. But where the environment
      excludes what was shown, each item of a slate that stands higher in it is excluded, too.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        self.spec = spec
        self.count = spec.num_candidates or spec.num_items
        single = spec.slate_size == 1
        self.space: spaces.Space[Any] = spaces.Discrete(self.count) if single else spaces.MultiDiscrete([self.count] * spec.slate_size)
        self._shape = (spec.num_users,) if single else (spec.num_users, spec.slate_size)
        self._range = f"{'candidates' if spec.num_candidates else 'items'} are numbered from 0 to {self.count - 1}"

    def slates(self, actions: Any, observation: Observation) -> Tensor:
        """See `Actions`; `actions` are integers, `[N]`, or `[N, K]` for slates."""
        numbers = _of_shape(actions, self._shape)
        if numbers.dtype.kind not in "iu":
            raise ValueError(f"actions must be integers, not {numbers.dtype}: {self._range}")
        wrong = (numbers < 0) | (numbers >= self.count)
        if wrong.any():
            first = tuple(np.argwhere(wrong)[0])
            raise ValueError(f"action {numbers[first]} of user {first[0]} is not there: {self._range}")
        users, size = self.spec.num_users, self.spec.slate_size
        choices = torch.from_numpy(numbers.astype(np.int64).reshape(users, size)).to(self.spec.device)
        allowed = self._allowed(observation)
        if allowed is not None:
            choices = self._once_each(allowed, choices) if self.spec.num_excluded else next_allowed(allowed, choices)
        candidates = observation.candidates
        return choices if candidates is None else candidates.gather(1, choices)

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """See `Actions`; `[N, M]` or `[N, C]`, for slates one such mask after the other for each place, `[N, K M]` or `[N, K C]`."""
        allowed = self._allowed(observation)
        if allowed is None:
            return np.ones((self.spec.num_users, self.spec.slate_size * self.count), np.bool_)
        return allowed.repeat(1, self.spec.slate_size).cpu().numpy()

    def _once_each(self, allowed: Tensor, choices: Tensor) -> Tensor:
        """`next_allowed`, place by place, what stands higher no longer being allowed."""
        taken = []
        for place in range(choices.shape[1]):
            taken.append(next_allowed(allowed, choices[:, place : place + 1]))
            allowed = allowed.scatter(1, taken[-1], False)
        return torch.cat(taken, dim=1)

    def _allowed(self, observation: Observation) -> Tensor | None:
        """Which choices may be shown, `[N, M]` or `[N, C]` bool; None: all of them."""
        candidates = observation.candidates
        if candidates is not None:
            return (candidates != PAD) & ~is_excluded(observation, candidates)
        if observation.excluded is None:
            return None
        scores = torch.zeros(self.spec.num_users, self.spec.num_items, device=self.spec.device)
        return allowed_items(observation, scores).isfinite()


def next_allowed(allowed: Tensor, choices: Tensor) -> Tensor:
    """For each of `choices` `[N, K]`, the first number from it upwards, and on from 0, that `allowed` `[N, C]` allows.

    A user to whom nothing is allowed keeps the choice.
    """
    count = allowed.shape[1]
    numbers = torch.arange(count, device=allowed.device).expand_as(allowed).masked_fill(~allowed, count)
    # at each place the smallest allowed number from there on; `count` where there is none
    following = numbers.flip(1).cummin(dim=1).values.flip(1)
    following = torch.where(following < count, following, following[:, :1])
    found = following.gather(1, choices)
    return torch.where(found < count, found, choices)


class ContinuousActions:
    """Real vectors between the environment's bounds: the space is a `Box` of A numbers."""

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
        # NaN is not within any bounds
        wrong = ~((numbers >= self._low) & (numbers <= self._high))
        if wrong.any():
            user, place = np.argwhere(wrong)[0]
            bounds = f"[{self._low[place]:g}, {self._high[place]:g}]"
            raise ValueError(f"action {numbers[user, place]:g} of user {user} at place {place} is not in {bounds}; clip it")
        return torch.from_numpy(numbers).to(self.spec.device)

    def masks(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """Raises ValueError: real numbers cannot be masked."""
        raise ValueError("action_masks is for environments whose actions are items; here they are real numbers")


def _of_shape(actions: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    found = np.asarray(actions)
    if found.shape != shape:
        raise ValueError(f"actions have shape {list(shape)}, not {list(found.shape)}")
    return found
