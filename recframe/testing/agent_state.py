"""The checks of an agent's state: a resumed run continues exactly, and evaluations in between change nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch

from recframe.interfaces import Agent, Environment
from recframe.testing.agent_batches import observations_of
from recframe.testing.conformance import load_saved, require, saved_and_loaded, state_difference
from recframe.testing.loop import update

REMEDY = "save all that they depend on in state_dict (with get_extra_state), recompute caches in prepare_to_act() and after loading"


def check_evaluation(agent: Agent, environment: Environment, ranks: bool) -> None:
    """Acting without exploration and ranking must not change how the agent acts afterwards, its generator aside, which a run restores."""
    one, evaluated = copy.deepcopy(agent), copy.deepcopy(agent)
    _evaluate(evaluated, environment, ranks)
    evaluated.generator.set_state(one.generator.get_state())
    _check_same_decisions(
        one,
        evaluated,
        environment,
        "act() without exploration, or rank(), changes what the agent does next, so that an evaluation would change the training: "
        "keep no state in them; the count of steps in training is self.env_steps",
    )


def check_continuation(
    agent: Agent,
    optimizers: Mapping[str, torch.optim.Optimizer],
    environment: Environment,
    batches: list[Any],
    rebuild: Callable[[], Agent] | None = None,
) -> None:
    """A different agent that loads the state must continue exactly as this one does: a changed copy, and one that was built again."""
    agent.env_steps += 1
    if rebuild is not None:
        same, its = copy.deepcopy((agent, dict(optimizers)))
        _check_continued(same, its, rebuild(), environment, batches, f"{REMEDY}; a resumed run builds the agent again")
    _check_continued(agent, optimizers, _changed_copy(agent, environment, batches), environment, batches, REMEDY)


def _changed_copy(agent: Agent, environment: Environment, batches: list[Any]) -> Agent:
    """A copy with other weights that has acted and learned more: state that no checkpoint contains must differ, too, such as counts."""
    other = copy.deepcopy(agent)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5).add_(0.1)
    for batch in batches:
        update(other, other.optimizers(), batch)
    with torch.no_grad():
        other.prepare_to_act()
        other.act(observations_of(environment)[0], explore=True)
    other.generator.manual_seed(999)
    other.env_steps = 0
    other.prepare_to_act()
    return other


def _check_continued(
    agent: Agent,
    optimizers: Mapping[str, torch.optim.Optimizer],
    other: Agent,
    environment: Environment,
    batches: list[Any],
    remedy: str,
) -> None:
    """Load the agent's state into `other`, and let both act and learn."""
    load_saved(other, saved_and_loaded(agent.state_dict(), "the agent's state_dict()"), "the agent")
    require(
        other.env_steps == agent.env_steps and torch.equal(other.generator.get_state(), agent.generator.get_state()),
        "env_steps or the generator is not restored: get_extra_state() and set_extra_state() must extend Agent's, not replace them",
    )
    others = other.optimizers()
    for name, optimizer in optimizers.items():
        others[name].load_state_dict(saved_and_loaded(optimizer.state_dict(), f"the optimizer {name!r}"))
    _check_same_decisions(agent, other, environment, f"after load_state_dict the decisions differ: {remedy}")
    for batch in batches:
        same = update(agent, optimizers, batch) == update(other, others, batch)
        require(same, f"after load_state_dict the losses differ: {remedy}")
    what = state_difference(agent.state_dict(), other.state_dict())
    require(what is None, f"after load_state_dict, learning gives another result ({what} differs): {remedy}")
    _check_same_decisions(agent, other, environment, f"after load_state_dict the decisions differ: {remedy}")


@torch.no_grad()
def _evaluate(agent: Agent, environment: Environment, ranks: bool) -> None:
    agent.prepare_to_act()
    for observation in observations_of(environment):
        agent.act(observation, explore=False)
        if ranks:
            agent.rank(observation, 3)


@torch.no_grad()
def _check_same_decisions(agent: Agent, other: Agent, environment: Environment, message: str) -> None:
    agent.prepare_to_act()
    other.prepare_to_act()
    for observation in observations_of(environment):
        for explore in (True, False):
            one, same = agent.act(observation, explore), other.act(observation, explore)
            require(torch.equal(one.slate, same.slate), message)
            known = one.log_prob is not None and same.log_prob is not None
            require(not known or torch.equal(one.log_prob, same.log_prob), message)  # type: ignore[arg-type]
