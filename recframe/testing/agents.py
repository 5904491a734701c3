"""`check_agent`: the conformance check of agents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from recframe.interfaces import (
    PAD,
    Agent,
    Decision,
    Environment,
    EnvironmentSpec,
    Experience,
    NoExperience,
    Observation,
    Replay,
    Rollout,
    is_excluded,
)
from recframe.testing.agent_batches import batches_for, observations_of
from recframe.testing.agent_learning import check_learning, check_optimizers, check_replay_options
from recframe.testing.agent_state import check_continuation, check_evaluation
from recframe.testing.conformance import difference, own_randomness, require, require_tensor
from recframe.testing.nan_order import no_nan_in_order
from recframe.testing.ranking import check_ranking
from recframe.testing.running_out import check_running_out

ROUNDS = 3


def check_agent(agent: Agent, environment: Environment, rebuild: Callable[[], Agent] | None = None, ranks: bool = False) -> None:
    """Check an agent by letting it act, learn, save and continue in an environment with the specification it was built for.

    The check trains the agent. `recframe.testing.ToyEnvironment(spec, data)` is a suitable environment.

    Parameters
    ----------
    rebuild: builds the agent again, with other weights, as a resumed run does before it loads the saved ones.
    ranks: whether it provides the tag `ranks`.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(isinstance(agent, Agent), f"an agent must subclass recframe.interfaces.Agent; {type(agent).__name__} does not")
    _check_constructed(agent)
    if ranks:
        check_ranking(agent, environment.reset(2))
    for observation in observations_of(environment):
        for explore in (True, False):
            _check_decision(agent, observation, explore)
    check_evaluation(agent, environment, ranks)
    optimizers = agent.optimizers()
    check_optimizers(agent, optimizers)
    batches = [] if isinstance(agent.experience, NoExperience) else batches_for(agent, environment, 2 * ROUNDS)
    if batches:
        check_learning(agent, optimizers, batches[:ROUNDS])
        if isinstance(agent.experience, Replay | Rollout):
            check_running_out(agent, batches[ROUNDS])
            check_replay_options(agent, batches[ROUNDS])
        _check_diagnostics(agent)
    if ranks:
        check_ranking(agent, environment.reset(2))
    check_continuation(agent, optimizers, environment, batches[ROUNDS:], rebuild)


def _check_constructed(agent: Agent) -> None:
    complete = isinstance(getattr(agent, "generator", None), torch.Generator) and hasattr(agent, "env_steps")
    require(complete, "the agent has no generator or no env_steps: its constructor must call super().__init__(spec, seed)")
    require(isinstance(agent.spec, EnvironmentSpec), f"agent.spec must be the EnvironmentSpec, not {type(agent.spec).__name__}")
    require(
        isinstance(agent.experience, get_args(Experience)),
        f"experience must be one of recframe.interfaces.Experience, not {type(agent.experience).__name__}",
    )


def _check_decision(agent: Agent, observation: Observation, explore: bool) -> None:
    spec, users = agent.spec, len(observation.user)
    before, twin = observation.clone(), copy.deepcopy(agent)
    with torch.no_grad(), own_randomness("act()"), no_nan_in_order("act()"):
        agent.prepare_to_act()
        decision = agent.act(observation, explore)
    require(isinstance(decision, Decision), f"act() must return a recframe.interfaces.Decision, not {type(decision).__name__}")
    slate, log_prob = decision
    if spec.actions == "continuous":
        _check_action(slate, spec, users)
    else:
        _check_slate(slate, spec, observation)
    if log_prob is not None:
        require_tensor(log_prob, "log_prob", (users,), torch.float32, spec.device)
        # the probability of a slate, but the density of a continuous action
        require(
            spec.actions != "items" or (log_prob <= 1e-5).all(), "log_prob is above 0: it must be the logarithm of the slate's probability"
        )
    field = difference(observation, before)
    require(field is None, f"act() changed {field} of the observation in place: replay would keep the change")
    with torch.no_grad():
        twin.prepare_to_act()
        same = torch.equal(twin.act(observation, explore).slate, slate)
    require(same, "an identical agent made another decision: draw all random numbers from self.generator")


def _check_action(action: Tensor, spec: EnvironmentSpec, users: int) -> None:
    require_tensor(action, "the action", (users, spec.action_size), torch.float32, spec.device)
    low, high = (torch.tensor(bounds, device=spec.device) for bounds in (spec.action_low, spec.action_high))
    require(((action >= low) & (action <= high)).all(), "the action is out of bounds: keep it between spec.action_low and spec.action_high")


def _check_slate(slate: Tensor, spec: EnvironmentSpec, observation: Observation) -> None:
    require_tensor(slate, "the slate", (len(observation.user), spec.slate_size), torch.int64, spec.device)
    require(((slate >= 0) & (slate < spec.num_items)).all(), f"the slate must contain item numbers from 0 to {spec.num_items - 1}")
    ordered = slate.sort(dim=1).values
    require((ordered[:, 1:] != ordered[:, :-1]).all(), "a slate shows the same item twice: choose without replacement")
    if observation.candidates is not None:
        allowed = (slate.unsqueeze(2) == observation.candidates.masked_fill(observation.candidates == PAD, -2).unsqueeze(1)).any(dim=2)
        require(allowed.all(), "act() showed an item that is not a candidate: mask scores with recframe.interfaces.allowed_items")
    excluded = is_excluded(observation, slate).any()
    require(not excluded, "act() showed an item that the observation excludes: mask scores with recframe.interfaces.allowed_items")


def _check_diagnostics(agent: Agent) -> None:
    diagnostics = agent.diagnostics()
    require(isinstance(diagnostics, dict), f"diagnostics() must return a dict, not {type(diagnostics).__name__}")
    for name, value in diagnostics.items():
        scalar = isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.numel() == 1)
        require(scalar, f"the diagnostic {name!r} must be a number or a scalar tensor")
