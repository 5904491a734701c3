"""Rollouts of a policy to the end of every user's first session, so that all policies are evaluated on the same users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recframe.attribution import REWARD_NOT_FINITE, Evidence, Turn, blaming, failure_in
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.evaluation.people import People
from recframe.experience import RewardOutcome, RewardSum
from recframe.interfaces import Decision, Environment, Observation, Transition, Truth, transition_of
from recframe.metric_names import CLICK_SIGNAL


class Policy(Protocol):
    """A policy that chooses from what can be observed. Any callable with this signature is one.

    A policy that is also a context manager is entered for the duration of a rollout.
    """

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slates `[N, K]` int64 for the `turn`-th step (from 0) of a rollout."""
        ...


class InformedPolicy(ABC):
    """A policy that chooses with the environment's truth, which no recommender has.

    It is a separate type, so that no policy gets the truth by accident.
    """

    @abstractmethod
    def choose(self, observation: Observation, turn: int, truth: Truth) -> Tensor:
        """The slates `[N, K]` int64, given the true expected response to every item."""


AnyPolicy = Policy | InformedPolicy


@dataclass(frozen=True)
class Episodes:
    """The first sessions of N users, over T turns. Entries after the end of a user's session are zero; those of `slates` are meaningless.

    slates: `[T, N, K]` int64, or continuous actions `[T, N, A]` float32.
    alive: `[T, N]` bool, whether the user was still in the session when shown the slate.
    item_rewards: `[T, N, K]` float32.    terms: `[T, N]` float32 for each reward term.
    clicks: `[T, N, K]` float32, or None if the environment has no click signal.
    people: `[N]` int64, equal for sessions of the same person (see `Environment.start_evaluation`); None: each is of another person.
    """

    slates: Tensor
    alive: Tensor
    item_rewards: Tensor
    terms: dict[str, Tensor]
    clicks: Tensor | None
    people: Tensor | None = None

    @property
    def rewards(self) -> Tensor:
        """Reward of each turn, `[T, N]`."""
        return self.item_rewards.sum(dim=-1)

    @property
    def returns(self) -> Tensor:
        """Undiscounted reward of each session, `[N]`."""
        return self.item_rewards.sum(dim=(0, 2))

    @property
    def lengths(self) -> Tensor:
        """Turns in each session, `[N]` int64."""
        return self.alive.sum(dim=0)

    @property
    def met(self) -> People:
        """The people of the sessions."""
        sessions = self.alive.shape[1]
        return People.of_sessions(np.arange(sessions) if self.people is None else self.people.cpu().numpy())

    @property
    def term_sums(self) -> dict[str, Tensor]:
        """Each reward term summed over the session, `[N]`."""
        return {name: term.sum(dim=0) for name, term in self.terms.items()}


def rollout(policy: AnyPolicy, environment: Environment, rewards: RewardSum, seed: int, max_steps: int) -> Episodes:
    """Play `policy` from `environment.start_evaluation(seed)` until every user's first session is over, or for `max_steps` turns.

    Users who replace those whose session ended are simulated but not counted: otherwise policies that lose their users would be
    evaluated on more users, and on different ones. Longer sessions are counted up to `max_steps`.

    Raises
    ------
    ValueError: if `policy` needs the truth and the environment does not know it.
    """
    with policy if isinstance(policy, AbstractContextManager) else nullcontext():
        whose = policy.agent if isinstance(policy, AgentPolicy) else f"the policy {type(policy).__name__}"
        return play(
            lambda observation, turn, alive: decide(policy, environment, observation, turn), environment, rewards, seed, max_steps, whose
        )


def decide(policy: AnyPolicy, environment: Environment, observation: Observation, turn: int) -> Tensor:
    """The policy's slates `[N, K]`. Only informed policies get the truth."""
    if isinstance(policy, InformedPolicy):
        return policy.choose(observation, turn, required_truth(environment))
    return policy(observation, turn)


def required_truth(environment: Environment) -> Truth:
    """The environment's truth.

    Raises
    ------
    ValueError: if it has none.
    """
    truth = environment.truth()
    if truth is None:
        raise ValueError(f"{type(environment).__name__} does not know the true responses: an informed policy cannot be played in it")
    return truth


@torch.no_grad()
def play(
    choose: Callable[[Observation, int, Tensor], Tensor],
    environment: Environment,
    rewards: Callable[[Transition], RewardOutcome],
    seed: int,
    max_steps: int,
    policy: Any = "the policy",
) -> Episodes:
    """The loop of `rollout`. `choose(observation, turn, alive [N])` also gets who is still in the first session.

    policy: whose choices they are, for errors: an agent, or words.

    Raises
    ------
    ComponentFailure: naming the component that failed, broke its contract, or gave a reward that is not finite.
    """
    if max_steps < 1:
        raise ValueError(f"an evaluation needs at least one step, not max_steps={max_steps}")
    with blaming(environment):
        observation, people = environment.start_evaluation(seed)
    evidence = Evidence(environment, policy)
    alive = torch.ones_like(observation.user, dtype=torch.bool)
    slates, alives, item_rewards, clicks = [], [], [], []
    terms: dict[str, list[Tensor]] = {}
    for turn in range(max_steps):
        rows = alive.nonzero().squeeze(1)
        if not len(rows):
            break
        slate = choose(observation, turn, alive)
        handed = Turn(environment, policy, observation, Decision(slate))
        try:
            step = handed.step = environment.step(slate)
            if turn == 0:
                handed.require_step()
            # a reward may depend on all users of the transition, so it gets only those that are counted
            item_reward, turn_terms = rewards(transition_of(observation, handed.decision, step)[rows])
        except Exception as error:
            blamed = handed.blame(error)
            if blamed is error:
                raise
            raise blamed from error
        evidence.add(slate, step)
        slates.append(slate)
        alives.append(alive)
        item_rewards.append(_spread(item_reward, rows, len(alive)))
        for name, term in turn_terms.items():
            terms.setdefault(name, []).append(_spread(term, rows, len(alive)))
        if CLICK_SIGNAL in environment.spec.signals:
            clicks.append(step.response.signals[CLICK_SIGNAL].masked_fill(~alive[:, None], 0.0))
        alive = alive & ~(step.terminated | step.truncated)
        observation = step.observation
    stacked = {name: torch.stack(values) for name, values in terms.items()}
    _require_numbers(evidence, stacked, rewards)
    return Episodes(
        slates=torch.stack(slates),
        alive=torch.stack(alives),
        item_rewards=torch.stack(item_rewards),
        terms=stacked,
        clicks=torch.stack(clicks) if clicks else None,
        people=people,
    )


def _require_numbers(evidence: Evidence, terms: dict[str, Tensor], rewards: Callable[[Transition], RewardOutcome]) -> None:
    """Check that the rewards are finite; else the environment's signals are to blame, if they are not, or the first such term."""
    wrong = [name for name, values in terms.items() if not bool(values.isfinite().all())]
    if not wrong:
        return
    if (found := evidence.problem()) is not None:
        raise failure_in(found)
    reward = rewards.terms[wrong[0]][0] if isinstance(rewards, RewardSum) else f"reward={wrong[0]}"
    raise failure_in((reward, REWARD_NOT_FINITE))


def _spread(values: Tensor, rows: Tensor, users: int) -> Tensor:
    """`values` `[n, ...]` of the users in `rows` `[n]` as `[N, ...]`, with zeros for the others."""
    return values.new_zeros(users, *values.shape[1:]).index_copy_(0, rows, values)
