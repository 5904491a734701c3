"""The check that agents learn nothing from what follows a session that ran out of items."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from recframe.interfaces import PAD, Agent, Transition, may_run_out
from recframe.testing.conformance import require
from recframe.testing.loop import update


def check_running_out(agent: Agent, batch: Transition) -> None:
    """A terminated session that has no item left has no next value: the update must stay finite."""
    batch = batch.clone()
    following = batch.next_observation
    if following.candidates is not None:
        following.candidates.fill_(PAD)
    elif may_run_out(agent.spec):
        excluded = following.excluded
        assert excluded is not None
        numbers = torch.arange(excluded.shape[-1], device=agent.spec.device)
        excluded.copy_(numbers.where(numbers < agent.spec.num_items, PAD).expand_as(excluded))
    else:
        return
    batch.terminated.fill_(True)
    batch.truncated.fill_(False)
    twin = copy.deepcopy(agent)
    losses = update(twin, twin.optimizers(), batch)
    finite = all(math.isfinite(loss) for _, loss in losses) and not _is_nan(twin)
    require(
        finite,
        "learning from terminated sessions in which no item is left gave NaN or infinity: leave out their next value with masked_fill, "
        "as a product of 0 and -inf is NaN",
    )


def _is_nan(agent: Agent) -> bool:
    state = agent.state_dict().values()
    return any(isinstance(value, Tensor) and value.is_floating_point() and bool(value.isnan().any()) for value in state)
