"""`TrainingDiverged`, and the checks that no value that is not a number is saved or evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from recframe.errors import UserError


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
