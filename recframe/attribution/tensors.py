"""Checks of what components return. Shapes and types are compared without waiting for the device; values only where asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recframe.attribution.failure import ComponentFailure
from recframe.attribution.origin import component_name, origin_of

Problem = str | None
"""What is wrong, and what would be right; None: nothing."""


def failure_in(found: tuple[Any, str]) -> ComponentFailure:
    """The failure of a component with a problem."""
    component, problem = found
    return ComponentFailure(f"{component_name(component)}: {problem}", origin_of(component))


def require_sound(component: Any, problem: Problem) -> None:
    """Raise the failure of `component` if there is a problem.

    Raises
    ------
    ComponentFailure: naming the component.
    """
    if problem is not None:
        raise failure_in((component, problem))


def tensor_problem(
    value: Any,
    what: str,
    shape: tuple[int, ...],
    axes: str,
    device: torch.device,
    dtype: torch.dtype | None = torch.float32,
    values: bool = False,
) -> Problem:
    """Whether `value` is a tensor of that shape, type and device.

    Parameters
    ----------
    what: the subject of the sentence, such as "the response signal 'click'".   axes: the names of its axes, such as "[N, K]".
    dtype: None: any type of floating point.   values: whether to require finite numbers, which waits for the device.
    """
    right = f"{axes} = {list(shape)} {_in_words(dtype)}"
    if not isinstance(value, Tensor):
        return f"{what} is a {type(value).__name__}, not a tensor; right is {right}"
    if tuple(value.shape) != shape:
        return f"{what} has the shape {list(value.shape)}; right is {right}"
    if value.dtype != dtype and (dtype is not None or not value.is_floating_point()):
        return f"{what} is {_in_words(value.dtype)}; right is {right}"
    if value.device.type != device.type:
        return f"{what} is on {value.device}; right is {device}, the device of the run (spec.device)"
    return not_finite(value, what) if values else None


def not_finite(value: Tensor, what: str) -> Problem:
    """Whether a tensor holds NaN or infinite numbers; waits for the device."""
    if not value.is_floating_point() or bool(value.isfinite().all()):
        return None
    found = value.detach()
    kind = "NaN" if bool(found.isnan().any()) else "infinite"
    count = int((~found.isfinite()).sum())
    return f"{what} is {kind} in {count:,} of {found.numel():,} values; all must be finite"


def items_problem(value: Tensor, what: str, num_items: int, padded: bool) -> Problem:
    """Whether all numbers are items `0..M-1`, or `PAD` where that may be; waits for the device."""
    lowest = -1 if padded else 0
    wrong = value[(value < lowest) | (value >= num_items)]
    if not len(wrong):
        return None
    return f"{what} holds the item number {int(wrong[0])}; right are 0 to {num_items - 1}{', and PAD (-1)' if padded else ''}"


def require_reward(reward: Any, value: Any, like: Tensor) -> None:
    """Check what a reward returned: float32 `[N, K]`, as `like`, which is the transition's.

    Raises
    ------
    ComponentFailure: naming the reward.
    """
    # in this order nothing is formatted while all is well
    if isinstance(value, Tensor) and value.shape == like.shape and value.dtype == torch.float32 and value.device == like.device:
        return
    require_sound(reward, tensor_problem(value, "its value", tuple(like.shape), "[N, K]", like.device))


def _in_words(dtype: torch.dtype | None) -> str:
    return "of floating point" if dtype is None else str(dtype).removeprefix("torch.")
