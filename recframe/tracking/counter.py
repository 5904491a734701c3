"""The counter of a logging call: every logger records metrics against env_steps, or another counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENV_STEPS = "env_steps"
BATCHES = "batches"
"""The counter of training on a log."""
STEPS = "steps"
"""The counter of training on a log and then in a simulator: batches, and from then on env steps, too."""

_ONE = {ENV_STEPS: "env step", BATCHES: "batch", STEPS: "step"}

# Lightning adds its own counts to every call, which mean nothing here
LIGHTNING_COUNTS = frozenset({"epoch", "step"})


def split_counter(metrics: Mapping[str, Any], latest: int, counter: str) -> tuple[int, dict[str, float]]:
    """The value of `counter` in a logging call, and the other metrics as floats in their order, without Lightning's counts.

    A call without the counter, such as one from a third-party callback, gets the `latest` value.
    """
    value = int(metrics.get(counter, latest))
    return value, {name: float(number) for name, number in metrics.items() if name != counter and name not in LIGHTNING_COUNTS}


def words(unit: str) -> str:
    """A unit of a stage's length in words: "env steps" or "batches"."""
    return unit.replace("_", " ")


def count_in_words(number: int, unit: str) -> str:
    """A number of a unit in words: "1 batch", "2,048 env steps"."""
    return f"{number:,} {_ONE[unit] if number == 1 else words(unit)}"
