"""The checks of what an agent learns with: its optimizers, its losses, and the options of its replay memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Agent, NoExperience, Observation, Replay, Transition
from recframe.testing.conformance import difference, own_randomness, require, require_tensor, state_difference
from recframe.testing.loop import update


def check_optimizers(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Check that `optimizers()` returns named optimizers of the agent's own parameters, each once."""
    require(
        isinstance(optimizers, dict) and all(isinstance(o, torch.optim.Optimizer) for o in optimizers.values()),
        "optimizers() must return a dict of names to torch optimizers",
    )
    learns = not isinstance(agent.experience, NoExperience)
    require(learns or not optimizers, "an agent with optimizers must say what experience it learns from, not NoExperience")
    own = {id(parameter) for parameter in agent.parameters()}
    for name, optimizer in optimizers.items():
        optimized = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        require(
            len(optimized) == sum(len(group["params"]) for group in optimizer.param_groups),
            f"the optimizer {name!r} has a parameter twice, and would step it twice: list each once",
        )
        require(
            optimized <= own,
            f"the optimizer {name!r} steps parameters that the agent does not contain and so would not save: register them as a submodule",
        )


def check_learning(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], batches: list[Any]) -> None:
    """Let the agent learn from the batches, and check its losses, gradients and weights."""
    weights = copy.deepcopy({name: value for name, value in agent.state_dict().items() if isinstance(value, Tensor)})
    stepped, forgotten = set(), dict[str, None]()
    for batch in batches:
        before = copy.deepcopy(batch)
        with own_randomness("losses()"):
            for name, loss in losses_of(agent, batch):
                _check_loss(name, loss, optimizers)
                agent.zero_grad()
                loss.backward()
                forgotten.update(dict.fromkeys(_unoptimized(agent, optimizers)))
                _check_gradients(name, optimizers[name])
                optimizers[name].step()
                stepped.add(name)
        _check_priorities(agent, batch)
        field = difference(batch, before)
        require(field is None, f"losses() changed {field} of the batch in place: it belongs to the replay memory or the rollout")
    more = f" and {len(forgotten) - 1} more parameters" if len(forgotten) > 1 else ""
    require(
        not forgotten,
        f"the losses reach {next(iter(forgotten), '')!r}{more}, which no optimizer of optimizers() has, so that they never change: "
        "add them, or freeze them with requires_grad_(False)",
    )
    unused = sorted(set(optimizers) - stepped)
    require(
        not unused,
        f"losses() never yielded a loss for the optimizer {unused[0] if unused else ''!r} in {len(batches)} batches: yield or drop it",
    )
    after = agent.state_dict()
    require(
        all(after[name].isfinite().all() for name in weights if weights[name].is_floating_point()), "learning made a weight NaN or infinite"
    )
    require(
        any(not torch.equal(after[name], weights[name]) for name in weights),
        "no weight changed in learning: do not detach the loss; values learned without an optimizer must be buffers",
    )


def _check_priorities(agent: Agent, batch: Transition) -> None:
    """Check the priorities, which replay asks for after each batch."""
    if not isinstance(agent.experience, Replay) or agent.experience.priority_exponent == 0:
        return
    priorities = agent.priorities()
    require(
        priorities is not None,
        "priorities() is None, but the agent asks for prioritized replay: return each transition's absolute error, or do not ask for it",
    )
    assert priorities is not None
    require_tensor(priorities, "priorities()", tuple(batch.batch_size), torch.float32, agent.spec.device)
    require((priorities >= 0).all(), "priorities() has a value below 0: return absolute errors")
    require(not priorities.requires_grad, "priorities() has a gradient, which the replay memory would keep: detach it")


def check_replay_options(agent: Agent, batch: Transition) -> None:
    """An agent must use the discounts and weights that it asks its replay memory for."""
    plan = agent.experience
    if batch.discount is not None:
        reverse = torch.arange(len(batch) - 1, -1, -1, device=agent.spec.device)
        # an agent that does not read the next state has nothing to discount
        require(
            _matters(agent, batch, "discount", 1 - batch.discount)
            or not _matters(agent, batch, "next_observation", batch.next_observation[reverse]),
            "losses() ignores batch.discount, but the agent asks for n_step > 1: discount the next state's value by it",
        )
    if batch.weight is not None and isinstance(plan, Replay) and plan.importance_exponent > 0:
        require(
            _matters(agent, batch, "weight", batch.weight.flip(0)),
            "losses() ignores batch.weight, but the agent asks for prioritized replay: weight each transition's loss by it",
        )


def _matters(agent: Agent, batch: Transition, field: str, value: Tensor | Observation) -> bool:
    """Whether the update changes with the field's value."""
    changed = batch.clone()
    setattr(changed, field, value)
    one, other = copy.deepcopy(agent), copy.deepcopy(agent)
    if update(one, one.optimizers(), batch) != update(other, other.optimizers(), changed):
        return True
    return state_difference(one.state_dict(), other.state_dict()) is not None


def _check_loss(name: str, loss: Tensor, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    require(name in optimizers, f"losses() yielded a loss for {name!r}, but optimizers() has {sorted(optimizers)}: use one of those names")
    require(isinstance(loss, Tensor) and loss.dim() == 0, f"the loss for {name!r} must be a scalar tensor: take its mean")
    require(loss.isfinite(), f"the loss for {name!r} is {loss.item()}: it must be finite")
    require(loss.requires_grad, f"the loss for {name!r} has no gradient: do not compute it under no_grad or detach it")


def _check_gradients(name: str, optimizer: torch.optim.Optimizer) -> None:
    gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"] if parameter.grad is not None]
    require(len(gradients) > 0, f"the loss for {name!r} reaches none of the parameters of its optimizer")
    require(all(gradient.isfinite().all() for gradient in gradients), f"the loss for {name!r} has a gradient that is NaN or infinite")


def losses_of(agent: Agent, batch: Any) -> Iterator[tuple[str, Tensor]]:
    """The pairs that `losses` yields, checked to be pairs."""
    losses = agent.losses(batch)
    right = "losses() must be a generator, which yields (optimizer name, loss), as in `yield 'main', loss`"
    require(isinstance(losses, Iterator), f"{right}; it returned {type(losses).__name__}")
    for pair in losses:
        named = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
        require(named, f"{right}; it yielded {type(pair).__name__}")
        yield pair


def _unoptimized(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer]) -> list[str]:
    """The names of the parameters that have a gradient and that no optimizer steps."""
    stepped = {id(parameter) for optimizer in optimizers.values() for group in optimizer.param_groups for parameter in group["params"]}
    reached = [(name, parameter) for name, parameter in agent.named_parameters() if id(parameter) not in stepped]
    return [name for name, parameter in reached if parameter.grad is not None and bool(parameter.grad.any())]
