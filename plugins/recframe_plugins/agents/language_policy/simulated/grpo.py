"""GRPO over sessions that begin alike, for the return of the session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, StateTracker, Transition
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.losses import group_advantages, group_collapse, grpo_loss
from recframe_plugins.agents.language_policy.rules import OPTIMIZER
from recframe_plugins.agents.language_policy.simulated.rule import SimulatedRule, clipped_share
from recframe_plugins.agents.language_policy.simulated.sessions import ComparedSessions, OpenSessions

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy


class SimulatedGRPO(SimulatedRule):
    """Group-relative policy optimization (Shao et al., 2024) whose answers are sessions of one person (`environment.group_size`).

    No value is learned: a session's baseline is the mean of the G sessions of its person, which began alike and met the same random
    numbers. A session counts once all G are over; until then its steps wait, with the probabilities under which they were drawn, over as
    many chunks as it takes.

    Raises
    ------
    ValueError: the users are in no groups; or see `SimulatedRule`.
    """

    def __init__(self, config: LanguagePolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker | None) -> None:
        super().__init__(config, state_tracker)
        if spec.group_size == 1:
            raise ValueError(
                "agent.learning=grpo compares sessions of one person: set environment.group_size, to 8 for instance, in an environment "
                "that has it; or use agent.learning=ppo"
            )
        self.device = spec.device
        self.sessions = OpenSessions(spec.group_size)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The loss on each minibatch of each epoch over the sessions that a chunk `[T, N]` completes; none if it completes none."""
        config, policy, flat = self.config, agent.policy, batch.reshape(-1)
        with torch.no_grad():
            now = policy.evaluate(flat.observation, flat.slate)
        # the reference is the policy before its first step, which may come chunks later
        self.reference(agent, flat.observation[:1], flat.slate[:1])
        compared = self.sessions.take_in(batch, now)
        if compared is None:
            return
        steps, advantages = compared.steps, step_advantages(compared, config.credit, config.gamma, scale=config.normalize_advantages)
        reference = self.reference_in_loss(agent, steps.observation, steps.slate, steps.log_probs)
        agent.latest |= {
            "group_collapse": group_collapse(compared.rewards.sum(dim=2)),
            "groups": torch.tensor(float(len(compared.rewards))),
            "waiting_steps": torch.tensor(float(0 if self.sessions.waiting is None else len(self.sessions.waiting.reward))),
        }
        for _ in range(config.epochs):
            order = torch.randperm(len(advantages), generator=agent.generator, device=advantages.device)
            for rows in order.tensor_split(min(config.minibatches, len(order))):
                part = steps.rows(rows)
                learned = policy.evaluate(part.observation, part.slate)
                log_probs, old, mask = (of.flatten(1) for of in (learned.token_log_probs, part.log_probs, part.is_choice))
                agent.latest["clipped"] = clipped_share((log_probs - old)[mask], config.clip_range)
                loss = grpo_loss(
                    log_probs,
                    old,
                    advantages[rows],
                    mask,
                    clip_range=config.clip_range,
                    reference=None if reference is None else reference[rows].flatten(1),
                    kl_weight=config.kl_weight,
                    mean_over="codes",
                )
                yield OPTIMIZER, loss - config.entropy_weight * learned.entropy.sum() / mask.sum().clamp(min=1)

    def state_dict(self) -> dict[str, Any]:
        """The sessions that are not compared yet."""
        return {"sessions": self.sessions.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.sessions.load_state_dict(state["sessions"], self.device)


def step_advantages(compared: ComparedSessions, credit: str, gamma: float, *, scale: bool) -> Tensor:
    """The advantage `[B]` of each step.

    credit: "session": the session's return against those of the group, for all steps alike (outcome supervision; Shao et al., 2024, section
        4.1.2). "step": what the session still gives from this step on, against what the group's sessions do from the same step on, those
        that are over 0. What was earned before a step says nothing about it, and is noise (so in process supervision, section 4.1.3).
    gamma: "step": discount of later rewards, on which a step has less and less influence.
    scale: divide by the standard deviation of the group's returns, or by the root mean square of the advantages of its steps.
    """
    rewards = compared.rewards
    returns = rewards.sum(dim=2)
    if credit == "session":
        return group_advantages(returns, scale=scale).flatten()[compared.row]
    steps = torch.arange(rewards.shape[2], device=rewards.device)
    later = steps.unsqueeze(1) - steps
    to_go = rewards @ (gamma ** later.clamp(min=0)).tril().to(rewards.dtype)
    centred = to_go - to_go.mean(dim=1, keepdim=True)
    found = centred.flatten(0, 1)[compared.row, compared.steps.place]
    if not scale:
        return found
    person = compared.row // rewards.shape[1]
    squares, number = (found.new_zeros(len(rewards)).index_add(0, person, of) for of in (found.square(), torch.ones_like(found)))
    # the returns of a group may be equal although its sessions earn them at different times
    return found / ((squares / number).sqrt() + 1e-4)[person]
