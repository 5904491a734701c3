"""The search for the best fixed slate: lists of good items, and schedules that are planned for what users tire of and why they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recframe.experience import RewardSum
from recframe.interfaces import Environment
from recframe.references.fitting.schedules import PlannedSlates, planned_schedules
from recframe.references.fixed_slate import FixedRankingPolicy, FixedSlatePolicy
from recframe.references.ranking import ranked

FixedPolicy = FixedSlatePolicy | FixedRankingPolicy

# costs of leaving that are tried, as multiples of the best return so far
LEAVING_COSTS = (0.0, 0.1, 0.3, 1.0, 3.0)
# plans with the returns of the plan before as costs
IMPROVEMENTS = 3
RANDOM_ORDERS = 2


def best_fixed_slate(
    environment: Environment,
    rewards: RewardSum,
    rankings: Sequence[Tensor],
    score: Callable[[FixedPolicy], float],
    max_steps: int,
    seed: int,
) -> FixedPolicy:
    """The fixed slate of the highest score that the search finds.

    It searches lists of the best items by each ranking, of several lengths, random orders, and, if the environment knows the truth,
    schedules planned for leaving (`attempt_plans`). Where candidates are drawn for each user, all of these are rankings.

    rankings: scores `[M]` each; the best length of a list is found with the first.
    score: a policy's mean return on sessions of training people.
    """
    best: list[tuple[float, FixedPolicy]] = []

    def attempt(policy: FixedPolicy) -> float:
        returns = score(policy)
        # only the best is kept: a plan among candidates has a score for every item at every turn
        best[:] = [max([*best, (returns, policy)], key=lambda one: one[0])]
        return returns

    spec = environment.spec
    longest = min(max_steps * spec.slate_size, spec.num_items)
    lists = [FixedSlatePolicy(spec, ranked(rankings[0])[:length], rankings[0]) for length in list_lengths(spec.slate_size, longest)]
    best_length = len(max(lists, key=attempt).item_list)
    generator = torch.Generator(spec.device).manual_seed(seed)
    orders = [torch.rand(spec.num_items, generator=generator, device=spec.device) for _ in range(RANDOM_ORDERS)]
    # among drawn candidates the shortest list is a ranking that stays the same, which another ranking may need
    lengths = {best_length, longest} | ({spec.slate_size} if spec.num_candidates else set())
    for scores in [*rankings[1:], *orders]:
        for length in sorted(lengths):
            attempt(FixedSlatePolicy(spec, ranked(scores)[:length], scores))

    def attempt_plan(plan: PlannedSlates) -> float:
        if plan.rankings is None:
            return attempt(FixedSlatePolicy(spec, plan.slates.flatten(), rankings[0]))
        return attempt(FixedRankingPolicy(spec, plan.rankings))

    if environment.truth() is not None:
        attempt_plans(environment, rewards, attempt_plan, best[0][0], max_steps, seed)
    return best[0][1]


def list_lengths(slate_size: int, longest: int) -> list[int]:
    """K, 2K, 4K, 8K ... up to `longest`: longer lists give items a rest where repetition bores users."""
    lengths = [slate_size]
    while lengths[-1] < longest:
        lengths.append(min(2 * lengths[-1], longest))
    return lengths


def attempt_plans(
    environment: Environment, rewards: RewardSum, attempt: Callable[[PlannedSlates], float], best: float, max_steps: int, seed: int
) -> None:
    """Attempt schedules planned with the truth, each with a better idea of what leaving costs.

    The first does not mind leaving. If users leave, one play tries constant costs, multiples of the `best` return so far. From then on
    leaving after turn t costs what the schedule before returned from turn t + 1 on to those who stayed, which is a step of policy
    iteration over all items of all turns; it is repeated while returns rise.
    """

    def planned(costs: Tensor) -> list[PlannedSlates]:
        return planned_schedules(environment, rewards, costs, max_steps, seed)

    schedule = planned(torch.zeros(1, 1, device=environment.spec.device))[0]
    returns = attempt(schedule)
    if not schedule.leaving.any():
        return
    worth = max(abs(best), abs(returns))
    costs = worth * torch.tensor(LEAVING_COSTS, device=environment.spec.device)[:, None]
    plans = planned(costs)
    chosen = max(range(len(plans)), key=lambda number: plans[number].mean_return)
    schedule = planned(costs[chosen, None])[0]
    returns = attempt(schedule)
    for _ in range(IMPROVEMENTS):
        improved = planned(schedule.costs_of_leaving[None])[0]
        improved_returns = attempt(improved)
        if improved_returns <= returns:
            break
        schedule, returns = improved, improved_returns
