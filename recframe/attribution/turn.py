"""What an environment and a policy hand each other in one step, and which of them handed over something wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from recframe.attribution.failure import ComponentFailure, failure_of
from recframe.attribution.tensors import Problem, failure_in, items_problem, require_sound, tensor_problem
from recframe.attribution.trackers import recorded_trackers
from recframe.errors import UserError
from recframe.interfaces import Agent, Decision, Environment, EnvironmentSpec, Observation, Response, Step


@dataclass
class Turn:
    """One step of N users.

    Parameters
    ----------
    policy: the agent that decides, or another policy.   observation: what it is based on.
    decision, step: what came of it; None: not yet.
    """

    environment: Environment
    policy: Any
    observation: Any
    decision: Any = None
    step: Any = None

    def require_observation(self) -> None:
        """Check the observation, values included.

        Raises
        ------
        ComponentFailure: naming the environment.
        """
        require_sound(self.environment, observation_problem(self.observation, self.environment.spec, "its observation"))

    def require_decision(self) -> None:
        """Check the decision, values included.

        Raises
        ------
        ComponentFailure: naming the agent.
        """
        require_sound(self.policy, decision_problem(self.decision, self.environment.spec))

    def require_step(self) -> None:
        """Check the step, values included.

        Raises
        ------
        ComponentFailure: naming the environment.
        """
        require_sound(self.environment, step_problem(self.step, self.environment.spec))

    def blame(self, error: Exception) -> Exception:
        """The failure of whoever handed over something wrong, else of the component in whose code `error` was raised, else `error`."""
        if isinstance(error, UserError):
            return error
        if self.decision is None and isinstance(self.policy, Agent):
            with recorded_trackers(self.policy) as trackers, suppress(Exception):
                self.policy.act(self.observation, explore=True)
            if trackers.problem is not None:
                return failure_in(trackers.problem)
        try:
            self.require_observation()
            if self.decision is not None:
                self.require_decision()
            if self.step is not None:
                self.require_step()
        except ComponentFailure as failure:
            return failure
        except Exception:  # values that cannot even be looked at
            return failure_of(error) or error
        return failure_of(error) or error


def decision_problem(decision: Any, spec: EnvironmentSpec) -> Problem:
    """What is wrong with a decision for N users."""
    if not isinstance(decision, Decision):
        return f"act returned a {type(decision).__name__}; right is a recframe.interfaces.Decision(slate, log_prob)"
    problem = slate_problem(decision.slate, spec, spec.num_users)
    if problem is None and decision.log_prob is not None:
        problem = tensor_problem(decision.log_prob, "the log_prob of act", (spec.num_users,), "[N]", spec.device, None)
    return problem


def slate_problem(slate: Any, spec: EnvironmentSpec, users: int) -> Problem:
    """What is wrong with the slates `[N, K]`, or actions `[N, A]`."""
    if spec.actions == "continuous":
        return tensor_problem(slate, "the action of act", (users, spec.action_size), "[N, A]", spec.device, values=True)
    problem = tensor_problem(slate, "the slate of act", (users, spec.slate_size), "[N, K]", spec.device, torch.int64)
    return problem or items_problem(slate, "the slate of act", spec.num_items, padded=False)


def step_problem(step: Any, spec: EnvironmentSpec) -> Problem:
    """What is wrong with the outcome of a step."""
    if not isinstance(step, Step):
        return f"step returned a {type(step).__name__}; right is a recframe.interfaces.Step"
    users, device = spec.num_users, spec.device
    ended: list[tuple[str, Any]] = [("terminated", step.terminated), ("truncated", step.truncated)]
    if not isinstance(step.response, Response):
        return f"the response of step is a {type(step.response).__name__}; right is a recframe.interfaces.Response"
    ended.append(("response.leave", step.response.leave))
    found = (tensor_problem(value, f"{name} of step", (users,), "[N]", device, torch.bool) for name, value in ended)
    return (
        next((problem for problem in found if problem), None)
        or signals_problem(step.response, spec)
        or observation_problem(step.next_observation, spec, "the next_observation of step")
        or observation_problem(step.observation, spec, "the observation of step")
    )


def signals_problem(response: Response, spec: EnvironmentSpec) -> Problem:
    """What is wrong with the signals of a response."""
    given = set(response.signals.keys())
    if missing := [name for name in spec.signals if name not in given]:
        return f"the response of step lacks the signal {missing[0]!r} of its spec; it has: {', '.join(sorted(map(str, given))) or 'none'}"
    shape = (spec.num_users, spec.slate_size)
    problems = (
        tensor_problem(response.signals[name], f"the response signal {name!r}", shape, "[N, K]", spec.device, values=True)
        for name in spec.signals
    )
    return next((problem for problem in problems if problem), None)


def observation_problem(observation: Any, spec: EnvironmentSpec, what: str) -> Problem:
    """What is wrong with an observation of N users."""
    if not isinstance(observation, Observation):
        return f"{what} is a {type(observation).__name__}; right is a recframe.interfaces.Observation"
    n, h, device = spec.num_users, spec.history_length, spec.device
    whole, real = torch.int64, torch.float32
    fields: list[tuple[str, tuple[int, ...], str, torch.dtype, bool]] = [
        ("user", (n,), "[N]", whole, True),
        ("history_items", (n, h), "[N, H]", whole, True),
        ("history_feedback", (n, h, len(spec.signals)), "[N, H, F]", real, True),
        ("candidates", (n, spec.num_candidates), "[N, C]", whole, spec.num_candidates > 0),
        ("excluded", (n, spec.num_excluded), "[N, E]", whole, spec.num_excluded > 0),
        ("context", (n,), "[N]", whole, spec.has_context),
        ("features", (n, spec.num_features), "[N, X]", real, spec.num_features > 0),
    ]
    for name, shape, axes, dtype, expected in fields:
        value = getattr(observation, name)
        if not expected:
            continue
        if problem := tensor_problem(value, f"{name} of {what}", shape, axes, device, dtype, values=True):
            return problem
        is_items = name in ("history_items", "candidates", "excluded") and spec.actions == "items"
        if is_items and (problem := items_problem(value, f"{name} of {what}", spec.num_items, padded=True)):
            return problem
    return None
