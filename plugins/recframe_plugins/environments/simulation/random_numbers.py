"""The random numbers of simulated users: from the environment's generator, or, in groups, from the place of a step in a group's sessions.

Sessions of one person in a group are to meet the same random numbers in the same step, although they begin and end at different times.
A generator gives its numbers in one order; so those of groups are computed from where they are needed (a counter-based generator; Salmon et
al., 2011, "Parallel random numbers: as easy as 1, 2, 3"): each group, person, step and purpose is the seed of a SplitMix64 (Steele et al.,
2014, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from recframe.interfaces import own_draws
from recframe_plugins.environments.simulation.candidates import chosen_candidates, draw_candidates

KEYS = 2**62
"""The number of keys that a group may have."""
GOLDEN = 0x9E3779B97F4A7C15 - 2**64
"""SplitMix64's increment, 2^64 divided by the golden ratio, as a signed number of 64 bits."""


class RandomNumbers(Protocol):
    """Random numbers for N users."""

    def uniforms(self, *shape: int) -> Tensor:
        """Uniform numbers between 0 and 1, `[N, *shape]` float32."""

    def normals(self, *shape: int) -> Tensor:
        """Standard normal numbers `[N, *shape]` float32."""

    def below(self, limit: int) -> Tensor:
        """Whole numbers from 0 to `limit` - 1, all equally likely, `[N]` int64."""

    def candidates(self, num_items: int, count: int) -> Tensor:
        """`count` (C) different items of `num_items`, `[N, C]` int64; see `draw_candidates`."""


class GeneratorNumbers:
    """The next numbers of a generator, for `num_users` users."""

    def __init__(self, generator: torch.Generator, num_users: int) -> None:
        self.generator = generator
        self.num_users = num_users

    def uniforms(self, *shape: int) -> Tensor:
        """See `RandomNumbers`."""
        return own_draws(lambda n: torch.rand(n, *shape, generator=self.generator, device=self.generator.device), self.num_users)

    def normals(self, *shape: int) -> Tensor:
        """See `RandomNumbers`."""
        return own_draws(lambda n: torch.randn(n, *shape, generator=self.generator, device=self.generator.device), self.num_users)

    def below(self, limit: int) -> Tensor:
        """See `RandomNumbers`."""
        return own_draws(lambda n: torch.randint(limit, (n,), generator=self.generator, device=self.generator.device), self.num_users)

    def candidates(self, num_items: int, count: int) -> Tensor:
        """See `RandomNumbers`."""
        return draw_candidates(self.num_users, num_items, count, self.generator)


class GroupNumbers:
    """The numbers of one step of the users' sessions, equal for equal groups, people, steps and purposes.

    Parameters
    ----------
    key: `[N]` int64, the number drawn for each user's group.   person, step: `[N]` int64, which person of the group's, and which step of
        the session.
    purpose: numbers with different purposes are independent, although they are of the same step.
    """

    def __init__(self, key: Tensor, person: Tensor, step: Tensor, purpose: int) -> None:
        self.state = _mixed(_mixed(_mixed(key + GOLDEN) + GOLDEN * person) + GOLDEN * step + purpose)

    def uniforms(self, *shape: int) -> Tensor:
        """See `RandomNumbers`."""
        # the upper 24 bits: as many as float32 holds without rounding up to 1
        return (_shifted(self._bits(*shape), 40) * 2.0**-24).float()

    def normals(self, *shape: int) -> Tensor:
        """See `RandomNumbers`; by the inverse of the distribution function."""
        numbers: Tensor = torch.special.ndtri((_shifted(self._bits(*shape), 11).double() + 0.5) * 2.0**-53).float()
        return numbers

    def below(self, limit: int) -> Tensor:
        """See `RandomNumbers`."""
        return (self._doubles() * limit).long().clamp(max=limit - 1)

    def candidates(self, num_items: int, count: int) -> Tensor:
        """See `RandomNumbers`."""
        return chosen_candidates(self._doubles(count).T, num_items)

    def _doubles(self, *shape: int) -> Tensor:
        return _shifted(self._bits(*shape), 11).double() * 2.0**-53

    def _bits(self, *shape: int) -> Tensor:
        """The next 64 random bits for each number, `[N, *shape]` int64."""
        increments = GOLDEN * torch.arange(1, torch.Size(shape).numel() + 1, device=self.state.device)
        bits = _mixed(self.state[:, None] + increments)
        self.state = self.state + increments[-1]
        numbers: Tensor = bits.view(-1, *shape)
        return numbers


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's mixing of 64 bits; int64 products overflow as unsigned ones do."""
    bits = (bits ^ _shifted(bits, 30)) * (0xBF58476D1CE4E5B9 - 2**64)
    bits = (bits ^ _shifted(bits, 27)) * (0x94D049BB133111EB - 2**64)
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """The bits shifted to the right, with zeros on the left; torch's own shift copies the sign."""
    shifted: Tensor = (bits >> places) & (2 ** (64 - places) - 1)
    return shifted
