"""`TrainingDiverged`, and the checks that no value that is not a number is saved or evaluated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import Agent


class TrainingDiverged(UserError, ArithmeticError):
    """A loss, a gradient or a weight is no longer finite, and no component gave it: which one, when, and what to try."""

    exit_code = 1


def not_a_number(state: Mapping[str, Any]) -> str | None:
    """The first tensor of a state dict that holds NaN, with how many of its values are; None if there is none."""
    for name, value in state.items():
        if isinstance(value, Mapping):  # a module's extra state
            inside = {f"{name}.{key}": part for key, part in value.items()}
            if (found := not_a_number(inside)) is not None:
                return found
        elif isinstance(value, Tensor) and value.is_floating_point() and (wrong := int(value.isnan().sum())):
            return f"{name!r} ({wrong:,} of {value.numel():,} values)"
    return None


def require_numbers(state: Mapping[str, Any], what: str, advice: str = "") -> None:
    """Check that no value of a state dict's tensors is NaN. `what` ends the sentence, such as "; x.safetensors is not written".

    Raises
    ------
    TrainingDiverged: naming the tensor.
    """
    if (found := not_a_number(state)) is not None:
        raise TrainingDiverged(f"training diverged: {found} is no longer a number{what}{'. ' if advice else ''}{advice}")


def steps_advice(agent: Agent, gradient_clip: float | None) -> str:
    """What may help where an agent's optimizer steps were too large; no advice for an agent without optimizers."""
    if not agent.optimizers():
        return ""
    config = getattr(agent, "config", None)
    fields = [f.name for f in dataclasses.fields(config) if f.name.endswith("learning_rate")] if dataclasses.is_dataclass(config) else []
    rates = [f"agent.{name}" for name in fields if getattr(config, name) is not None] or ["learning rate"]
    clip = "set trainer.gradient_clip" if gradient_clip is None else "a smaller trainer.gradient_clip"
    return f"Try a smaller {' or '.join(rates)}, or {clip}"


def earlier_checkpoint(path: Path) -> str:
    """The sentence about the checkpoint from before the divergence, if there is one."""
    return f"The last checkpoint, {path}, is from before" if path.is_file() else "No checkpoint was written before"
