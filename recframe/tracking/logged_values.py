"""Values of a run in the forms that tracking services take: flat settings, and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def flat_settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of each setting; lists are values."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flat_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def markdown_table(policies: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    """A row for each policy, a column for each metric: its mean and its 95 % interval."""
    metrics = list(dict.fromkeys(metric for of_policy in policies.values() for metric in of_policy))
    rows = [["policy", *metrics], ["---"] * (len(metrics) + 1)]
    rows += [[name, *(_statistic(of_policy.get(metric)) for metric in metrics)] for name, of_policy in policies.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _statistic(statistic: Mapping[str, float | None] | None) -> str:
    if statistic is None or statistic["mean"] is None or not math.isfinite(statistic["mean"]):
        return "-"
    low, high = statistic["low"], statistic["high"]
    interval = "" if low is None or high is None else f" [{low:.4g}, {high:.4g}]"
    return f"{statistic['mean']:.4g}{interval}"
