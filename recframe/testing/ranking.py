"""The check of agents that rank items."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, Agent, Observation, is_excluded, num_allowed
from recframe.testing.conformance import difference, own_randomness, require, require_tensor
from recframe.testing.nan_order import no_nan_in_order


def check_ranking(agent: Agent, observation: Observation) -> None:
    """Check `rank` for one item, a few, and more than there are: different items that may be shown, and then `PAD`."""
    spec, users = agent.spec, len(observation.user)
    before = observation.clone()
    with torch.no_grad():
        agent.prepare_to_act()
        for k in (1, 5, spec.num_items + 2):
            with own_randomness("rank()"), no_nan_in_order("rank()"):
                ranking = agent.rank(observation, k)
            require_tensor(ranking, f"rank(observation, {k})", (users, k), torch.int64, spec.device)
            _check_items(ranking, observation, spec.num_items)
    field = difference(observation, before)
    require(field is None, f"rank() changed {field} of the observation in place")


def _check_items(ranking: Tensor, observation: Observation, num_items: int) -> None:
    remedy = "end with recframe.item_agents.rank_items or as_ranking"
    require(((ranking >= PAD) & (ranking < num_items)).all(), f"rank() must give item numbers from 0 to {num_items - 1}, or PAD")
    places = torch.arange(ranking.shape[1], device=ranking.device)
    there = places < num_allowed(observation, num_items).unsqueeze(1)
    require(
        torch.equal(ranking != PAD, there), f"rank() must fill the places with the items that may be shown, and the rest with PAD: {remedy}"
    )
    ordered = ranking.sort(dim=1).values
    require(((ordered[:, 1:] != ordered[:, :-1]) | (ordered[:, 1:] == PAD)).all(), f"rank() gave an item twice: {remedy}")
    allowed = ~is_excluded(observation, ranking) | (ranking == PAD)
    if observation.candidates is not None:
        allowed &= (ranking.unsqueeze(2) == observation.candidates.unsqueeze(1)).any(dim=2) | (ranking == PAD)
    require(allowed.all(), f"rank() gave an item that may not be shown: {remedy}")
