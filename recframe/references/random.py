"""Random slates and random actions: the lower bound of every comparison, and the source of unbiased logs."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, Observation, is_excluded, random_items

# share of slates that repeat an item of the history
REPEATS = 0.25


class RandomPolicy:
    """Uniformly random different items, or uniformly random continuous actions. Every rollout repeats the same draws."""

    def __init__(self, spec: EnvironmentSpec, seed: int) -> None:
        self.spec = spec
        self.seed = seed
        self.generator = torch.Generator(spec.device)
        self.low, self.high = action_bounds(spec)

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """Random slates `[N, K]` of items that may be shown, or actions `[N, A]`."""
        if turn == 0:
            self.generator.manual_seed(self.seed)
        if self.spec.actions == "items":
            return self.random_slates(observation)
        return random_actions(self.low, self.high, len(observation.user), self.generator)

    def random_slates(self, observation: Observation) -> Tensor:
        """Random slates `[N, K]` of items that may be shown."""
        return random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator)


class RepeatingRandomPolicy(RandomPolicy):
    """Random items, where one slate in four repeats an item of the history."""

    def random_slates(self, observation: Observation) -> Tensor:
        """Random slates `[N, K]` of items that may be shown, some of them with an item of the history."""
        return random_items_with_repeats(observation, self.spec.num_items, self.spec.slate_size, REPEATS, self.generator)


def random_items_with_repeats(observation: Observation, num_items: int, k: int, share: float, generator: torch.Generator) -> Tensor:
    """Random slates `[N, k]`; a `share` of them shows a random item of the history in a random position, if it may be shown.

    In a large catalogue uniformly random slates repeat nothing, so a log of them does not show what repetition does.
    """
    slate, history = random_items(observation, num_items, k, generator), observation.history_items
    draws = torch.rand(3, len(slate), 1, generator=generator, device=slate.device)
    item = history.gather(1, (draws[0] * history.shape[1]).long())
    position = (draws[1] * slate.shape[1]).long()
    possible = (item != PAD) & ~(slate == item).any(dim=1, keepdim=True) & ~is_excluded(observation, item)
    if observation.candidates is not None:
        possible &= (observation.candidates == item).any(dim=1, keepdim=True)
    repeats = possible & (draws[2] < share)
    return slate.scatter(1, position, torch.where(repeats, item, slate.gather(1, position)))


def action_bounds(spec: EnvironmentSpec) -> tuple[Tensor, Tensor]:
    """The lowest and the highest value of each number of a continuous action, `[A]` each."""
    return torch.tensor(spec.action_low, device=spec.device), torch.tensor(spec.action_high, device=spec.device)


def random_actions(low: Tensor, high: Tensor, users: int, generator: torch.Generator) -> Tensor:
    """Uniformly random points `[N, A]` of the box from `low` `[A]` to `high` `[A]`."""
    return torch.lerp(low, high, torch.rand(users, len(low), generator=generator, device=low.device))
