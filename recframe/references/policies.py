"""The policies that need no fitting: the trained agent as it would be deployed, and the plainest things to compare it with."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import InformedPolicy
from recframe.experience import RewardSum
from recframe.interfaces import EnvironmentSpec, Observation, Truth, best_items, is_excluded, random_items


class RandomPolicy:
    """Uniformly random different items, or uniformly random continuous actions. Every rollout repeats the same draws."""

    def __init__(self, spec: EnvironmentSpec, seed: int) -> None:
        self.spec = spec
        self.seed = seed
        self.generator = torch.Generator(spec.device)
        self.low, self.high = (torch.tensor(bounds, device=spec.device) for bounds in (spec.action_low, spec.action_high))

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """Random slates `[N, K]` of what may be shown, or actions `[N, A]`."""
        if turn == 0:
            self.generator.manual_seed(self.seed)
        spec = self.spec
        if spec.actions == "items":
            return random_items(observation, spec.num_items, spec.slate_size, self.generator)
        return torch.lerp(
            self.low, self.high, torch.rand(len(observation.user), spec.action_size, generator=self.generator, device=spec.device)
        )


class PopularPolicy:
    """The most popular items that are not among those lately shown.

    Skipping what the observed history holds keeps it an honest opponent: one slate shown again and again would bore everybody. Where all
    that may be shown was shown before, it starts again with the most popular.
    """

    def __init__(self, spec: EnvironmentSpec, popularity: Tensor) -> None:
        self.slate_size = spec.slate_size
        # stable, so that items that are equally popular come in the order of the catalogue
        self.ranking = popularity.argsort(descending=True, stable=True).to(spec.device)
        # PAD is -1 and finds the last entry: behind every item, seen or not
        self.places = torch.full((len(popularity) + 1,), 3 * len(popularity), device=spec.device)
        self.places[self.ranking] = torch.arange(len(popularity), device=spec.device)

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The popular slates `[N, K]`; memory grows with history, slate and exclusions, not with the catalogue."""
        history, candidates = observation.history_items, observation.candidates
        if candidates is None:
            # of the K + H + E most popular, at least K are neither in a history of H nor among E excluded ones
            excluded = 0 if observation.excluded is None else observation.excluded.shape[1]
            candidates = self.ranking[: self.slate_size + history.shape[1] + excluded].expand(len(history), -1)
        seen = (candidates[:, :, None] == history[:, None, :]).any(dim=2)
        places = self.places[candidates] + seen * len(self.ranking) + is_excluded(observation, candidates) * 4 * len(self.ranking)
        return candidates.gather(1, places.topk(self.slate_size, dim=1, largest=False).indices)


class OraclePolicy(InformedPolicy):
    """Shows each user the items of highest `expected reward - leave_penalty * probability of leaving`, both true.

    An upper reference for *information*: it knows every user's response to every item now. It is not proven to be optimal planning: how
    showing an item changes later tastes is not in its score, the penalty merely stands for the worth of the rest of the session, and
    slates are scored as if each item were shown alone; so a policy that plans well can beat it. With `leave_penalty=0` it is the
    myopic oracle. Only reward terms that depend on an item and its own signals are in its score (`RewardSum.itemwise`).
    """

    def __init__(self, rewards: RewardSum, slate_size: int, leave_penalty: float = 0.0) -> None:
        self.rewards = rewards
        self.slate_size = slate_size
        self.leave_penalty = leave_penalty

    def choose(self, observation: Observation, turn: int, truth: Truth) -> Tensor:
        """The best slates `[N, K]` by the true scores."""
        scores = self.rewards.itemwise(truth.signals) - self.leave_penalty * truth.leave
        return best_items(observation, scores, self.slate_size)
