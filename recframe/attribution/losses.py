"""Checks of what an agent gives to the training: its experience, its optimizers, and its losses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, get_args

from torch import Tensor
from torch.optim import Optimizer

from recframe.attribution.failure import blaming
from recframe.attribution.tensors import Problem, require_sound
from recframe.attribution.trackers import suspecting_trackers
from recframe.interfaces import Agent, Experience


def require_experience(agent: Agent) -> None:
    """Check the kind of experience that an agent asks for.

    Raises
    ------
    ComponentFailure: naming the agent.
    """
    with blaming(agent):
        experience: Any = agent.experience
    kinds = get_args(Experience)
    if not isinstance(experience, kinds):
        right = ", ".join(kind.__name__ for kind in kinds)
        require_sound(agent, f"experience is a {type(experience).__name__}; right is one of {right} of recframe.interfaces")


def require_optimizers(agent: Agent) -> None:
    """Check the optimizers of an agent.

    Raises
    ------
    ComponentFailure: naming the agent.
    """
    with blaming(agent):
        optimizers: Any = agent.optimizers()
    if not isinstance(optimizers, dict):
        given = f"a {type(optimizers).__name__}"
    elif wrong := [name for name, value in optimizers.items() if not isinstance(value, Optimizer)]:
        given = f"a {type(optimizers[wrong[0]]).__name__} as {wrong[0]!r}"
    else:
        return
    require_sound(agent, f"optimizers() returned {given}; right is a dict of torch optimizers by the names that losses() yields")


def checked_losses(agent: Agent, batch: Any, optimizers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
    """The losses that an agent yields for a batch, each with the name of its optimizer.

    Raises
    ------
    ComponentFailure: naming the agent, or its state tracker if that returned something wrong.
    """
    with blaming(agent), suspecting_trackers(agent, lambda: list(agent.losses(batch))):
        losses: Any = agent.losses(batch)
        if losses is None or isinstance(losses, (Tensor, dict, str)):
            require_sound(agent, f"losses() returned a {type(losses).__name__}; right is to yield (optimizer name, loss) pairs")
        remaining = iter(losses)
    while True:
        with blaming(agent), suspecting_trackers(agent, lambda: list(agent.losses(batch))):
            pair = next(remaining, None)
        if pair is None:
            return
        require_sound(agent, _loss_problem(pair, optimizers))
        yield pair


def _loss_problem(pair: Any, optimizers: Collection[str]) -> Problem:
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
        return f"losses() yielded a {type(pair).__name__}; right are pairs of an optimizer's name and a loss"
    name, loss = pair
    if name not in optimizers:
        known = ", ".join(map(repr, optimizers)) or "none"
        return f"losses() yielded a loss for the optimizer {name!r}, which optimizers() does not have; it has: {known}"
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        return f"losses() yielded {given} as the loss of {name!r}; right is a scalar tensor"
    if not loss.requires_grad:
        return f"losses() yielded a loss of {name!r} that depends on no parameter: it was detached, or computed without gradients"
    return None
