"""Schedules for everybody that are planned with the truth on training people: what they like by then, and what makes them leave.

A schedule says what everybody is shown at each turn. Where candidates are drawn for each user, that is a ranking: everybody is shown the
first of it among their own candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.evaluation.simulated.rollout import play, required_truth
from recframe.experience import RewardSum
from recframe.interfaces import Environment, Observation, allowed_items, best_items, is_excluded
from recframe.references.fitting.expected_rewards import without_withheld


class PlannedSlates(NamedTuple):
    """The same slates for everybody, and what they returned to those they were planned on.

    slates: `[T, K]` int64, until the last of them left; where candidates are drawn, the first items of all.   mean_return: of their
        sessions.
    to_go: `[T + 1]`, the mean return from each turn on of those who were still in their session; 0 at the end.
    present: `[T]`, how many were still in their session.   leaving: `[T]`, the largest probability of leaving that one of them had.
    rankings: scores `[T, M]` of all items at each turn where candidates are drawn and one schedule is planned, else None.
    """

    slates: Tensor
    mean_return: float
    to_go: Tensor
    present: Tensor
    leaving: Tensor
    rankings: Tensor | None = None

    @property
    def costs_of_leaving(self) -> Tensor:
        """What leaving after each turn would have cost, `[T]`: the return of those who stayed, or at least that of one turn."""
        turns = float(self.present.sum() / self.present[0])
        return self.to_go[1:].clamp(min=self.mean_return / turns)


def planned_schedules(environment: Environment, rewards: RewardSum, costs: Tensor, max_steps: int, seed: int) -> list[PlannedSlates]:
    """Greedy schedules under G costs of leaving, planned in one play in which every G-th user follows the same schedule.

    At turn t, schedule g has the K items of the highest `reward - costs[g, t] * probability of leaving`, both true values averaged over
    its users who are still in their session and may be shown the item. Who may not be shown one of the K is shown the best that they may.
    The earlier turns have changed these users, so the schedule takes into account which items bore them by then. Where candidates are
    drawn, everybody is shown the K of the highest value among their own, and all users tell what an item is worth, whether or not it is
    among their candidates.

    costs: `[G, T]`, what leaving after turn t costs; the last column also stands for all later turns.
    """
    num_users, groups = environment.spec.num_users, len(costs)
    group = torch.arange(num_users, device=costs.device) % groups
    member = F.one_hot(group, groups).T.to(costs)
    chosen: list[Tensor] = []
    leaving: list[Tensor] = []
    rankings: list[Tensor] = []

    def choose(observation: Observation, turn: int, alive: Tensor) -> Tensor:
        truth = required_truth(environment)
        cost = costs[group, min(turn, costs.shape[1] - 1), None]
        expected = rewards.itemwise(truth.signals) - cost * truth.leave
        if observation.candidates is not None:
            # items that are held back are not excluded there: they are never drawn
            expected = without_withheld(environment, expected)
        present = member * alive
        if observation.excluded is None:
            total = present @ expected
        else:
            # items shown before or held back are excluded for all users of a schedule, others for some of them
            allowed = (~allowed_items(_with_all_items(observation), expected).isneginf()).to(expected)
            asked, everybody = present @ allowed, present.sum(dim=1, keepdim=True)
            total = (present @ (expected * allowed)) * (everybody / asked.clamp(min=1.0))
            total = total.masked_fill((asked == 0) & (everybody > 0), -torch.inf)
        slates = total.topk(environment.spec.slate_size, dim=1).indices
        chosen.append(slates)
        played = slates[group]
        if observation.candidates is not None:
            played = best_items(observation, total[group], environment.spec.slate_size)
            # several schedules are compared by their returns: their rankings would take G times the memory
            rankings.extend([total] if groups == 1 else ())
        elif observation.excluded is not None and bool((barred := is_excluded(observation, played).any(dim=1, keepdim=True)).any()):
            played = torch.where(barred, best_items(observation, total[group], environment.spec.slate_size), played)
        leaving.append((truth.leave.gather(1, played).amax(dim=1) * present).amax(dim=1))
        return played

    episodes = play(choose, environment, rewards, seed, max_steps)
    slates = torch.stack(chosen, dim=1)
    present = (member[:, None, :] * episodes.alive).sum(dim=2)
    to_go = episodes.rewards.flip(0).cumsum(dim=0).flip(0)
    means = torch.einsum("gn,tn->gt", member, to_go) / present.clamp(min=1.0)
    lengths = (present > 0).sum(dim=1).tolist()
    return [
        PlannedSlates(
            slates=slates[number, :length],
            mean_return=float(means[number, 0]),
            to_go=F.pad(means[number, :length], (0, 1)),
            present=present[number, :length],
            leaving=torch.stack(leaving, dim=1)[number, :length],
            rankings=torch.cat(rankings)[:length] if rankings else None,
        )
        for number, length in enumerate(lengths)
    ]


def _with_all_items(observation: Observation) -> Observation:
    """The observation as if all items were candidates."""
    if observation.candidates is None:
        return observation
    copy: Observation = observation.clone(recurse=False)
    copy.candidates = None
    return copy
