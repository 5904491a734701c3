"""The comparison of all policies of a sweep with one of them: which differences could be chance? Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from recframe.evaluation.comparisons import Comparison, compare, holm
from recframe.evaluation.hierarchical_bootstrap import interquartile_means
from recframe.metric_names import metric_at, shown_k
from recframe.reports.cells import interval_cell, number
from recframe.reports.directions import Directions
from recframe.reports.runs import SweepError
from recframe.reports.seeds import PeopleOfRuns

TRAINED, ORACLE = "trained", "oracle"

BETWEEN_SETTINGS = re.compile(r",(?=\s*[^\s,=\[\](){}]+=)")
"""A comma before the next `key=`: others belong to a value, as in `reward=[click,diversity]`."""

Runs = dict[int, str]
"""The folder of each seed's run."""


class ComparisonTable(NamedTuple):
    """A comparison as text: title, header, rows, and notes on how to read it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]


class Contender(NamedTuple):
    """A policy under some settings: the settings' values, its name, and its runs with their means."""

    settings: tuple[str | None, ...]
    policy: str
    runs: Runs
    means: dict[int, float]

    def named(self, names: Sequence[str]) -> str:
        """What it is called in a title: the policy, or the settings of a trained one."""
        own = ", ".join(f"{name}={value}" for name, value in zip(names, self.settings, strict=True) if value is not None)
        return own if self.policy == TRAINED and own else self.policy


def comparison_table(
    runs: pl.DataFrame,
    settings: Sequence[str],
    against: str | None,
    metric: str | None,
    num_items: int | None,
    people: PeopleOfRuns,
    directions: Directions,
) -> ComparisonTable | None:
    """The comparison of all policies but the oracle with one, for one metric, from a frame with a row for each setting, policy and seed.

    Each difference is paired: the same people, and the same seed where both have several. p-values are Holm's over all rows of the table.

    Parameters
    ----------
    against: a policy's name (compared within each run), or settings of a trained one (`agent=ease`, or only `ease`); None: the policy with
        the best mean, in the metric's direction, that is neither trained nor the oracle.
    metric: None: NDCG of rankings, or else the return.   num_items: the number of items that were ranked, if it is known.
    people: the people's sums in these runs.   directions: of the frame's metrics.

    Returns
    -------
    None if nothing was asked for and nothing can be compared: no such policy, one policy only, or no record of people.

    Raises
    ------
    SweepError: if what was asked for is not possible.
    """
    asked = against is not None or metric is not None
    metric = _metric(runs, metric, num_items)
    contenders = [] if metric is None else _contenders(runs, settings, metric)
    baseline = None if metric is None else _baseline(contenders, settings, against, directions.sign(metric))
    if metric is None or baseline is None:
        if asked:
            raise SweepError("nothing to compare with: these runs have no reference policies; name a policy or settings with --against")
        return None
    within_runs = baseline.policy != TRAINED
    compared: list[tuple[Contender, Comparison | None]] = []
    for each in _different(contenders):
        if each.policy == baseline.policy and (within_runs or each.settings == baseline.settings):
            continue
        others = each.runs if within_runs else baseline.runs
        compared.append((each, _compared(each, baseline.policy, others, metric, people, metric in directions.low)))
    if not any(comparison for _, comparison in compared):
        if asked:
            raise SweepError(
                f"{metric}: nothing can be compared with {baseline.named(settings)}: there is no other policy of the same people and seeds "
                "whose people.npz has this metric (coverage and Gini are properties of a set of people, which it lacks)"
            )
        return None
    corrected = holm([float("nan") if comparison is None else comparison.p for _, comparison in compared])
    header = [*settings, "policy", "seeds", "IQM", "difference", "p (Holm)", "p of seeds", "better"]
    rows = [_row(each, comparison, p) for (each, comparison), p in zip(compared, corrected, strict=True)]
    return ComparisonTable(
        f"{directions.named(metric)}: difference to {baseline.named(settings)}", header, rows, _notes(compared, metric, directions)
    )


def _metric(runs: pl.DataFrame, metric: str | None, num_items: int | None) -> str | None:
    measured = [name for name in runs.columns if f"{name}/low" in runs.columns]
    if metric is None:
        k = shown_k([name for name in measured if "/" not in name], num_items)
        chosen = "return" if k is None else metric_at("ndcg", k)
        return chosen if chosen in measured else None
    if metric not in measured:
        raise SweepError(f"--metric {metric}: these runs have {', '.join(measured)}")
    return metric


def _contenders(runs: pl.DataFrame, settings: Sequence[str], metric: str) -> list[Contender]:
    measured = runs.filter(pl.col(metric).is_not_null() & pl.col("seed").is_not_null())
    return [
        Contender(
            tuple(key[:-1]), str(key[-1]), dict(group.select("seed", "folder").iter_rows()), dict(group.select("seed", metric).iter_rows())
        )
        for key, group in measured.group_by([*settings, "policy"], maintain_order=True)
    ]


def _different(contenders: Sequence[Contender]) -> list[Contender]:
    """Every policy once that does not depend on the settings, and none that knows the truth: each row makes the others less certain."""
    kept: dict[object, Contender] = {}
    for each in contenders:
        of_run = (each.policy, frozenset(each.means.values()))
        if each.policy != ORACLE:
            kept.setdefault((each.settings, TRAINED) if each.policy == TRAINED else of_run, each)
    return list(kept.values())


def _baseline(contenders: Sequence[Contender], settings: Sequence[str], against: str | None, sign: float) -> Contender | None:
    if against is None:
        known = [each for each in contenders if each.policy not in (TRAINED, ORACLE)]
        return max(known, key=lambda each: sign * float(np.mean(list(each.means.values()))), default=None)
    found = [each for each in contenders if each.policy == against] or [each for each in contenders if _has(each, settings, against)]
    # a policy that is no agent's is compared within each run, so that any of its settings will do
    if not found or (len(found) > 1 and found[0].policy == TRAINED):
        names = dict.fromkeys(each.named(settings) for each in contenders)
        what = "several policies have these settings" if found else "no policy has that name or these settings"
        raise SweepError(f"--against {against}: {what}; name one of: {'; '.join(names)}")
    return found[0]


def _has(each: Contender, settings: Sequence[str], against: str) -> bool:
    """Whether a trained policy has the settings `key=value,key=value`, or a setting with the value `against`."""
    if each.policy != TRAINED:
        return False
    if "=" not in against:
        return against in each.settings
    own = [f"{name}={value}" for name, value in zip(settings, each.settings, strict=True)]
    return all(part.strip() in own for part in BETWEEN_SETTINGS.split(against))


def _compared(
    each: Contender, policy: str, runs: Mapping[int, str], metric: str, people: PeopleOfRuns, low_is_better: bool
) -> Comparison | None:
    """The comparison with `policy` in `runs`; None if people or seeds are not the same, or are not recorded."""
    seeds = sorted(each.runs) if len(runs) == 1 else sorted(set(each.runs) & set(runs))
    own, others = [each.runs[seed] for seed in seeds], [*runs.values()] if len(runs) == 1 else [runs[seed] for seed in seeds]
    stacked = people.stacked([*((folder, each.policy) for folder in own), *((folder, policy) for folder in others)], [metric])
    if not seeds or stacked is None:
        return None
    ours, theirs = stacked.met[: len(own)], stacked.met[len(own) :]
    if not np.array_equal(ours, np.broadcast_to(theirs, ours.shape)):
        return None
    sums = stacked.sums[:, :, 0]
    return compare(sums[: len(own)], sums[len(own) :], met=ours, low_is_better=low_is_better)


def _row(each: Contender, comparison: Comparison | None, corrected: float) -> list[str]:
    labels = ["-" if value is None else value for value in each.settings]
    cells = [*labels, each.policy, str(len(each.runs)), number(float(interquartile_means(np.array(list(each.means.values())))))]
    if comparison is None:
        return [*cells, "-", "-", "-", "-"]
    difference = interval_cell(comparison.difference, comparison.low, comparison.high)
    return [*cells, difference, number(corrected), number(comparison.p_seeds), number(comparison.improvement)]


def _notes(compared: Sequence[tuple[Contender, Comparison | None]], metric: str, directions: Directions) -> list[str]:
    notes = ["differences are paired: the same people, and the same seed where both have several; p (Holm) is corrected for all rows"]
    if any(comparison is not None and not np.isnan(comparison.improvement) for _, comparison in compared):
        notes.append("IQM: mean of the middle half of the seeds; better: share of pairs of seeds in which the policy is better")
        if told := directions.told([metric]):
            notes.append(told)
        notes.append("p of seeds: exact sign-flip test, which with n seeds is 2 / 2^n at the least")
    if any(comparison is None for _, comparison in compared):
        notes.append(
            "not compared: policies of other people (another environment, evaluation.seed, evaluation.people or data) or seeds, or without "
            "a record of people (people.npz)"
        )
    return notes
