"""Comparison of two samples of the same quantities: estimates with 95 % intervals, tests, and tables of their agreement.

Intervals are normal ones for means and standard deviations (the latter by the delta method). For quantiles they are those of order
statistics (David and Nagaraja 2003, section 7.1), which hold for any distribution. All assume that the entries of a sample are
independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

Z = 1.959963984540054
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
Tables = Mapping[str, Mapping[str, np.ndarray]]
"""Samples `[E]` by table ("episode": only means are compared; "state": distributions are compared) and statistic."""
Samples = Mapping[str, Mapping[str, Tables]]
"""`Tables` by environment and policy."""


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def decimals(self) -> int:
        """The decimal place of the second digit of the interval's width."""
        width = self.high - self.low
        return max(1 - math.floor(math.log10(width)), 0) if width > 0 else 0

    def text(self, decimals: int) -> str:
        """Text such as "1.23 [1.12, 1.34]"."""
        return f"{_fixed(self.value, decimals)} [{_fixed(self.low, decimals)}, {_fixed(self.high, decimals)}]"


class Pair(NamedTuple):
    """The same estimate from both samples."""

    theirs: Estimate
    ours: Estimate

    @property
    def overlap(self) -> bool:
        """Whether the two intervals have a number in common."""
        return self.theirs.low <= self.ours.high and self.ours.low <= self.theirs.high

    @property
    def decimals(self) -> int:
        """The number of decimals for both."""
        return min(self.theirs.decimals, self.ours.decimals)

    @property
    def texts(self) -> list[str]:
        """Both estimates, with their intervals."""
        return [side.text(self.decimals) for side in self]

    @property
    def points(self) -> list[str]:
        """Both estimates, without intervals."""
        return [_fixed(side.value, self.decimals) for side in self]


class Compared(NamedTuple):
    """One statistic of one environment under one policy. p_value: None if both samples are constant, so that no test is possible."""

    environment: str
    policy: str
    statistic: str
    pairs: dict[str, Pair]
    p_value: float | None

    @property
    def where(self) -> list[str]:
        """The first cells of the row."""
        return [self.environment, self.policy, self.statistic]

    @property
    def verdict(self) -> list[str]:
        """The last cells of the row."""
        overlap = [pair.overlap for pair in self.pairs.values()]
        agreeing = f"{sum(overlap)} of {len(overlap)}" if len(overlap) > 1 else "yes" if overlap[0] else "no"
        return [agreeing, "" if self.p_value is None else f"{self.p_value:.2g}"]


def mean(sample: np.ndarray) -> Estimate:
    """The mean of a sample `[E]`."""
    return _normal(float(sample.mean()), float(sample.std(ddof=1)) / len(sample) ** 0.5)


def standard_deviation(sample: np.ndarray) -> Estimate:
    """The standard deviation of a sample `[E]`; the error of the variance is that of the mean of the squared deviations."""
    squares = (sample - sample.mean()) ** 2
    value = float(sample.std(ddof=1))
    return _normal(value, float(squares.std(ddof=1)) / len(sample) ** 0.5 / (2 * value) if value else 0.0)


def quantile(sample: np.ndarray, share: float) -> Estimate:
    """The `share`-quantile of a sample `[E]`, with the order statistics that enclose the true quantile with 95 % probability."""
    low, high = stats.binom.ppf((0.025, 0.975), len(sample), share).astype(int)
    ordered = np.sort(sample)
    return Estimate(float(np.quantile(ordered, share)), float(ordered[max(low - 1, 0)]), float(ordered[min(high, len(sample) - 1)]))


def summary(tables: Tables) -> str:
    """The means of one sample set, one line each."""
    means = {(table, statistic): mean(sample) for table, statistics in tables.items() for statistic, sample in statistics.items()}
    return "\n".join(f"  {table}, {statistic}: {estimate.text(estimate.decimals)}" for (table, statistic), estimate in means.items())


def comparison(theirs: Samples, ours: Samples, their_name: str, our_name: str) -> str:
    """Two markdown tables, of the means of whole episodes and of distributions, and the number of intervals that overlap.

    Means are compared by Welch's test, distributions by the Kolmogorov-Smirnov test; p-values are not corrected for multiple testing.

    Raises
    ------
    ValueError: the two sides have different statistics.
    """
    names = [their_name, our_name]
    episodes, states = (list(compare(theirs, ours, table)) for table in ("episode", "state"))
    quantiles = "quantiles " + " / ".join(f"{share:.0%}" for share in QUANTILES)
    spread = [f"{what}, {name}" for what in ("mean", "sd", quantiles) for name in names]
    # constants say nothing about agreement
    varying = [row for row in [*episodes, *states] if row.p_value is not None]
    pairs = [(", ".join([*row.where, name]), pair) for row in varying for name, pair in row.pairs.items()]
    apart = [f"- not those of {where}: {' and '.join(pair.texts)}" for where, pair in pairs if not pair.overlap]
    p_values = [row.p_value for row in varying if row.p_value is not None]
    return "\n".join(
        [
            _markdown(
                ["environment", "policy", "mean over episodes", *names, "intervals overlap", "p (Welch)"],
                ([*row.where, *row.pairs["mean"].texts, *row.verdict] for row in episodes),
            ),
            "",
            _markdown(
                ["environment", "policy", "over users and documents", *spread, "intervals overlap", "p (Kolmogorov-Smirnov)"],
                ([*row.where, *row.pairs["mean"].texts, *row.pairs["sd"].texts, *_quantiles(row), *row.verdict] for row in states),
            ),
            "",
            f"{len(pairs) - len(apart)} of {len(pairs)} pairs of 95 % intervals overlap{':' if apart else '.'}",
            *apart,
            "",
            f"{sum(p < 0.05 for p in p_values)} of {len(p_values)} p-values are below 0.05; the least is {min(p_values):.2g}.",
            "",
        ]
    )


def compare(theirs: Samples, ours: Samples, table: str) -> Iterable[Compared]:
    """All statistics of a table, in order.

    Raises
    ------
    ValueError: the two sides have different statistics.
    """
    left, right = _flat(theirs, table), _flat(ours, table)
    if left.keys() != right.keys():
        raise ValueError(f"the sides differ in {'; '.join(', '.join(key) for key in sorted(left.keys() ^ right.keys()))}")
    for key, sample in left.items():
        other = right[key]
        test = None
        if sample.std() or other.std():
            test = stats.ttest_ind(sample, other, equal_var=False) if table == "episode" else stats.ks_2samp(sample, other)
        mine, found = _estimates(other, table), _estimates(sample, table)
        yield Compared(*key, {name: Pair(found[name], mine[name]) for name in found}, None if test is None else float(test.pvalue))


def _estimates(sample: np.ndarray, table: str) -> dict[str, Estimate]:
    if table == "episode":
        return {"mean": mean(sample)}
    quantiles = {f"{share:.0%} quantile": quantile(sample, share) for share in QUANTILES}
    return {"mean": mean(sample), "sd": standard_deviation(sample), **quantiles}


def _quantiles(row: Compared) -> list[str]:
    """The quantiles of both sides, one cell each."""
    points = [pair.points for name, pair in row.pairs.items() if name.endswith("quantile")]
    return [" / ".join(side) for side in zip(*points, strict=True)]


def _flat(samples: Samples, table: str) -> dict[tuple[str, str, str], np.ndarray]:
    """One table's samples by environment, policy and statistic."""
    return {
        (environment, policy, statistic): np.asarray(sample)
        for environment, policies in samples.items()
        for policy, tables in policies.items()
        for statistic, sample in tables[table].items()
    }


def _normal(value: float, error: float) -> Estimate:
    return Estimate(value, value - Z * error, value + Z * error)


def _fixed(value: float, decimals: int) -> str:
    """`value` with `decimals` decimals, and no minus before a zero."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """A markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
