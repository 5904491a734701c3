"""The parts of every conformance check: the error, and comparisons of tensors and states."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recframe.interfaces import Log


class ConformanceError(AssertionError):
    """A component breaks its contract; the message says in one sentence what is wrong and how to fix it."""


class DataNeeded(ConformanceError):
    """A component requires something of the data that the toy data lacks: it was not checked, and may conform."""


def require(condition: bool | Tensor, message: str) -> None:
    """Raise `ConformanceError(message)` unless the condition holds."""
    if not bool(condition):
        raise ConformanceError(message)


def require_tensor(
    value: Any, name: str, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str = "cpu", *, finite: bool = True
) -> None:
    """Require a tensor of that shape, dtype and device type, without NaN or infinity if it is floating point."""
    require(isinstance(value, Tensor), f"{name} must be a tensor, not {type(value).__name__}")
    require(tuple(value.shape) == shape, f"{name} must have the shape {list(shape)}, not {list(value.shape)}")
    require(value.dtype == dtype, f"{name} must be {dtype}, not {value.dtype}: convert it with .to({dtype})")
    device = torch.device(device)
    require(value.device.type == device.type, f"{name} must be on {device}, not {value.device}: make it with device=spec.device")
    if finite and value.is_floating_point():
        require(value.isfinite().all(), f"{name} contains NaN or infinity: all its values must be finite")


def tensors_of(batch: Any) -> dict[str, Tensor]:
    """The tensors of an Observation, Response, Transition or Log by dotted name; without fields that are None."""
    if isinstance(batch, Log):
        values = {field.name: getattr(batch, field.name) for field in fields(batch)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}
    return dict(batch.to_tensordict().flatten_keys(".").items())


def difference(left: Any, right: Any) -> str | None:
    """The name of the first field in which two Observations (Responses, Transitions) differ, or None."""
    a, b = tensors_of(left), tensors_of(right)
    for name in [*a, *(name for name in b if name not in a)]:
        if name not in a or name not in b or not torch.equal(a[name], b[name]):
            return name
    return None


def saved_and_loaded(state: Any, what: str) -> Any:
    """The state after `torch.save` and `torch.load(weights_only=True)`, as from a checkpoint."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        return torch.load(file, weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ConformanceError(
            f"{what} does not survive torch.load(weights_only=True): use only tensors, numbers, strings, lists and dicts ({reason})"
        ) from error


def load_saved(module: nn.Module, state: Any, what: str) -> None:
    """Load a state dict as a resumed run does."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split()).partition(": ")[2]
        raise ConformanceError(
            f"{what}, built again, cannot load its own state_dict ({reason}): make all parameters and buffers in the constructor"
        ) from error


def state_difference(left: Any, right: Any, where: str = "") -> str | None:
    """The dotted path of the first entry in which two state dicts differ, or None."""
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        same = isinstance(left, Tensor) and isinstance(right, Tensor) and torch.equal(left, right)
        return None if same else where
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        if left.keys() != right.keys():
            return where or "its keys"
        found = (state_difference(left[key], right[key], f"{where}.{key}".lstrip(".")) for key in left)
        return next((path for path in found if path is not None), None)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return next((path for i, (a, b) in pairs if (path := state_difference(a, b, f"{where}[{i}]")) is not None), None)
    return None if left == right else where


@contextmanager
def own_randomness(what: str) -> Iterator[None]:
    """Require that the block does not use the global random generators of torch, numpy and Python."""
    before, numpys, pythons = torch.get_rng_state(), np.random.get_state(legacy=False), random.getstate()
    yield
    used = [
        name
        for name, unused in (
            ("torch", torch.equal(before, torch.get_rng_state())),
            ("numpy", state_difference(_plain(numpys), _plain(np.random.get_state(legacy=False))) is None),
            ("Python", pythons == random.getstate()),
        )
        if not unused
    ]
    require(
        not used,
        f"{what} draws from {' and '.join(used)}'s global random state, so a resumed run would differ: "
        "pass an own torch.Generator to every draw",
    )


def _plain(state: Any) -> Any:
    """The state of numpy's generator with lists in place of arrays."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray) else state
