"""The transition that one step of an environment makes: what was observed, chosen and answered, before rewards are computed."""

from __future__ import annotations

import torch

from recframe.interfaces.agent import Decision
from recframe.interfaces.environment import Step
from recframe.interfaces.types import Observation, Transition


def transition_of(observation: Observation, decision: Decision, step: Step) -> Transition:
    """The transition `[N]` of `step`, which followed `decision` on `observation`.

    `reward` and `item_reward` are zeros: reward terms compute them from the rest. `log_prob` is zero where the decision has none.
    """
    users = decision.slate.shape[0]
    zeros = torch.zeros(users, device=decision.slate.device)
    return Transition(
        observation=observation,
        slate=decision.slate,
        log_prob=zeros if decision.log_prob is None else decision.log_prob,
        response=step.response,
        reward=zeros,
        item_reward=torch.zeros(next(iter(step.response.signals.values())).shape, device=zeros.device),
        next_observation=step.next_observation,
        terminated=step.terminated,
        truncated=step.truncated,
        batch_size=[users],
    )
