"""The best recommendations that are the same for everybody: what a policy must beat to show that it personalises at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import play, required_truth
from recframe.experience import RewardSum
from recframe.interfaces import Environment, EnvironmentSpec, Observation, allowed_items, best_items


class FixedSlatePolicy:
    """Shows everybody the same items at the same turn: `tape` `[L]`, K items a turn, from the start again when it ends.

    Where not everything may be shown, everybody is shown the first K on the tape that may, counted from where the tape stands;
    items that are not on the tape come last, by `scores` `[M]`. A tape holds K or more items, any K in a row all different.
    """

    def __init__(self, spec: EnvironmentSpec, tape: Tensor, scores: Tensor) -> None:
        self.slate_size = spec.slate_size
        self.tape = tape
        places = torch.empty_like(scores, dtype=torch.int64)
        places[scores.argsort(descending=True, stable=True)] = torch.arange(len(scores), device=scores.device)
        self.on_tape = torch.zeros_like(places, dtype=torch.bool)
        self.on_tape[tape] = True
        self.places = places + len(tape)
        self.places[tape] = torch.arange(len(tape), device=scores.device)

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slate of this turn for everybody, `[N, K]`."""
        users, length = observation.user.shape[0], len(self.tape)
        start = turn * self.slate_size % length
        if observation.candidates is None and observation.excluded is None:
            slots = (start + torch.arange(self.slate_size, device=self.tape.device)) % length
            return self.tape[slots].repeat(users, 1)
        places = torch.where(self.on_tape, (self.places - start) % length, self.places)
        return best_items(observation, -places.float(), self.slate_size)


def fixed_slates(
    environment: Environment, rewards: RewardSum, rankings: Sequence[Tensor], max_steps: int, seed: int
) -> list[FixedSlatePolicy]:
    """The fixed slates worth trying.

    For each ranking (scores `[M]`): its top K, always; and its top L in order, over and over, for L = 2K, 4K, 8K ... up to
    `max_steps * K`, so that slates which bore when repeated are given their rest. Where the environment knows the truth and everybody
    may be shown everything, also `greedy_schedule`.
    """
    spec = environment.spec
    longest = min(max_steps * spec.slate_size, spec.num_items)
    lengths = [spec.slate_size]
    while lengths[-1] < longest:
        lengths.append(min(2 * lengths[-1], longest))
    policies = []
    for scores in rankings:
        best_first = scores.argsort(descending=True, stable=True)
        policies += [FixedSlatePolicy(spec, best_first[:length], scores) for length in lengths]
    if environment.truth() is not None and spec.num_candidates == 0:
        tape = greedy_schedule(environment, rewards, max_steps, seed).flatten()
        policies.append(FixedSlatePolicy(spec, tape, torch.zeros(spec.num_items, device=spec.device)))
    return policies


def greedy_schedule(environment: Environment, rewards: RewardSum, max_steps: int, seed: int) -> Tensor:
    """Slates `[T, K]` chosen turn after turn: the items of highest true expected reward now, averaged over the users still there.

    The average is over what everybody became by the turns before, so the schedule knows when an item has worn out.
    """
    schedule: list[Tensor] = []

    def choose(observation: Observation, _turn: int, alive: Tensor) -> Tensor:
        expected = rewards.itemwise(required_truth(environment).signals)
        total = alive.to(expected) @ expected
        if observation.excluded is not None:
            # what was shown, or is held back, is excluded alike for everybody still there
            total = total.masked_fill(allowed_items(observation, expected)[alive].isneginf().all(dim=0), -torch.inf)
        slate = total.topk(environment.spec.slate_size).indices
        schedule.append(slate)
        return slate.repeat(len(alive), 1)

    episodes = play(choose, environment, rewards, seed, max_steps)
    return torch.stack(schedule[: len(episodes.alive)])


def true_mean_rewards(environment: Environment, rewards: RewardSum, seeds: Sequence[int]) -> Tensor:
    """The true expected reward of each item at the first turn, averaged over the users of all seeds, `[M]`."""
    means = []
    for seed in seeds:
        environment.reset(seed)
        means.append(rewards.itemwise(required_truth(environment).signals).mean(dim=0))
    return torch.stack(means).mean(dim=0)
