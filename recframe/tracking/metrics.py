"""What all loggers agree on: a logging call is a moment, counted in env_steps (or another counter), and the numbers measured there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENV_STEPS = "env_steps"

# Lightning adds its own counts to every call; the counter is the one that means something here
LIGHTNING_COUNTS = frozenset({"epoch", "step"})


def split_counter(metrics: Mapping[str, Any], latest: int, counter: str) -> tuple[int, dict[str, float]]:
    """The `counter` of a logging call, and its other metrics as floats in their order, without Lightning's counts.

    A call without it, such as one of a third party's callback, belongs to the `latest` known.
    """
    count = int(metrics.get(counter, latest))
    return count, {name: float(value) for name, value in metrics.items() if name != counter and name not in LIGHTNING_COUNTS}
