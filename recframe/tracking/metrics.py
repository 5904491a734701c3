"""What all loggers agree on: a logging call is a moment in env_steps and the numbers measured there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENV_STEPS = "env_steps"

# Lightning adds its own counts to every call; env_steps is the one that means something here
LIGHTNING_COUNTS = frozenset({"epoch", "step"})


def split_env_steps(metrics: Mapping[str, Any], latest: int) -> tuple[int, dict[str, float]]:
    """`env_steps` of a logging call, and its other metrics as floats in their order, without Lightning's counts.

    A call without `env_steps`, such as one of a third party's callback, belongs to the `latest` known.
    """
    env_steps = int(metrics.get(ENV_STEPS, latest))
    return env_steps, {name: float(value) for name, value in metrics.items() if name != ENV_STEPS and name not in LIGHTNING_COUNTS}
