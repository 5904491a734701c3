"""Whose number was the first that is not finite: a component's, or that of networks which diverged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tensordict import TensorClass

from recframe.attribution import ComponentFailure, failure_in, not_finite, recorded_trackers
from recframe.experience import Stream
from recframe.interfaces import Agent, Log

SMALL = 0.05
"""The standard deviation of the weights with which a batch is tried again."""


def culprit(agent: Agent, stream: Stream, batch: Any) -> ComponentFailure | None:
    """The failure of the component that gave NaN or an infinite number; None: the networks diverged.

    Looked for in the order in which values are made: what the environment answered and the rewards of the chunk, the batch, the tracker's
    states and item vectors, the agent's losses. Under weights that have diverged, nothing is finite; tracker and agent are therefore
    tried once more on the batch, with small random weights. The agent must not be used afterwards, except to end the run.

    Parameters
    ----------
    batch: the last that the agent learned from; None: there was none.
    """
    found = stream.not_finite()
    if found is not None or batch is None:
        return found
    if (in_batch := _in_batch(batch)) is not None:
        return failure_in(("the batch that the agent learned from", in_batch))
    if any(not bool(buffer.isfinite().all()) for buffer in agent.buffers() if buffer.is_floating_point()):
        return None  # what is learned in closed form has no weights that could be replaced
    return _tried_again(agent, batch)


def _in_batch(batch: Any) -> str | None:
    tensors: dict[str, Any] = {}
    if isinstance(batch, TensorClass):
        tensors = dict(batch.to_tensordict().flatten_keys(".").items())
        # of the policy that acted, which may have diverged
        tensors.pop("log_prob", None)
    elif isinstance(batch, Log) and batch.rewards is not None:
        tensors = {"rewards": batch.rewards}
    problems = (not_finite(value, name) for name, value in tensors.items() if isinstance(value, torch.Tensor))
    return next((problem for problem in problems if problem), None)


def _tried_again(agent: Agent, batch: Any) -> ComponentFailure | None:
    finite = "with small weights, and although rewards and observations are finite"
    with _small_weights(agent), recorded_trackers(agent) as trackers:
        try:
            for name, loss in agent.losses(batch):
                if trackers.problem is not None:
                    break
                if (problem := not_finite(loss, f"its loss {name!r}")) is not None:
                    return failure_in((agent, f"{problem}, also {finite}"))
        except Exception:  # other weights than it was made for
            return None
        return None if trackers.problem is None else failure_in(trackers.problem)


@contextmanager
def _small_weights(agent: Agent) -> Iterator[None]:
    generator = torch.Generator().manual_seed(0)
    parameters = list(agent.parameters())
    own = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(SMALL * torch.randn(parameter.shape, generator=generator))
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, own, strict=True):
                parameter.copy_(before)
