"""Evaluates policies on the same held-out queries of a log, over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recframe.evaluation.exposure import JACKKNIFE_BUDGET, coverage, exposure_intervals, gini
from recframe.evaluation.people import People, PersonSums
from recframe.evaluation.ranking.accuracy import accuracy
from recframe.evaluation.ranking.groups import query_of_targets, target_groups
from recframe.evaluation.ranking.lists import top_lists
from recframe.evaluation.ranking.properties import ListProperties
from recframe.evaluation.results import Evaluation, Metrics, metrics_of
from recframe.evaluation.statistics import RESAMPLES, Interval, rate_interval, ratio_intervals
from recframe.interfaces import PAD, Catalog, Interactions, Ranker
from recframe.logs import HeldOut
from recframe.metric_names import in_order, is_rate, metric_at

KS = (1, 5, 10, 20)

Columns = dict[str, tuple[np.ndarray, np.ndarray]]
"""Numerators and denominators `[Q]` of each metric."""


class RankedQueries(NamedTuple):
    """What is kept of a policy's lists: `items` `[Q, k]` int32, the `ranks` `[T]` of the targets, and the lists' properties."""

    items: np.ndarray
    ranks: np.ndarray
    properties: Columns


def evaluate_ranking(
    rankers: Mapping[str, Ranker],
    held_out: HeldOut,
    catalog: Catalog,
    *,
    history_length: int,
    ks: Sequence[int] = KS,
    exclude_seen: bool = True,
    signals: Sequence[str] | None = None,
    training: Interactions | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    leaves_out: Callable[[str, Exception], bool] | None = None,
) -> Evaluation:
    """The metrics of every policy on the same queries, with 95 % intervals over people, and of the groups of `target_groups`.

    Each policy ranks the whole catalogue. Metrics on a sample of the items are not offered: they order policies differently from
    those over all items (Krichene & Rendle, 2020). Only top-k lists are kept.

    - `hit_rate`, `ndcg`, `precision`, `recall`, `f1`, `mrr`, `map` at each k: means over queries, see `accuracy`. Of groups, these only.
    - `novelty` and `diversity` at each k: see `ListProperties`.
    - `coverage` at each k: share of the catalogue in at least one list; `gini`: how unequally the lists use it (`exposure_intervals`).

    Intervals are bootstrap-t, and jackknife for coverage and Gini. Queries of one user are put together, as they depend on each other.

    Parameters
    ----------
    rankers: agents or other policies, by name.   ks: the numbers of places, 1 or more each.
    history_length: H, the items of a history that are given to a policy that does not read all of it.
    exclude_seen: the items of a query's history may not be recommended.
    signals: those of `Observation.history_feedback`, in order; None: the log's.
    training: what was trained on, for the groups by popularity, cold items and cold users; None: without these.
    leaves_out: asked with its name and the error whether a policy that fails is left out; otherwise the error is raised.

    Raises
    ------
    RankingError: a list of a policy is not valid; the message is for its author.
    ValueError: without queries, or with a k below 1.
    """
    ks = _checked(ks, held_out)
    people = People.of_sessions(held_out.users.cpu().numpy())
    queries, groups = query_of_targets(held_out), target_groups(held_out, len(catalog), training)
    measured: dict[str, Metrics] = {}
    sums: dict[str, PersonSums] = {}
    parts = {name: Evaluation({}, group.people, {}) for name, group in groups.items()}
    for name, ranker in rankers.items():
        try:
            ranked = _rank(name, ranker, held_out, catalog, ks, history_length, signals, exclude_seen)
        except Exception as error:
            if leaves_out is None or not leaves_out(name, error):
                raise
            continue
        sums[name] = PersonSums.of(_columns(ranked, queries, len(held_out), ks), people)
        measured[name] = metrics_of(_intervals(sums[name], seed, resamples) | _exposure(ranked.items, people, len(catalog), ks))
        for part, group in groups.items():
            of_part = PersonSums.of(_means(accuracy(ranked.ranks[group.targets], group.queries, group.num_queries, ks)), group.people)
            parts[part].sums[name] = of_part
            parts[part].policies[name] = metrics_of(_intervals(of_part, seed, resamples))
    return Evaluation(measured, people, sums, parts)


def ranking_means(
    ranker: Ranker,
    held_out: HeldOut,
    catalog: Catalog,
    *,
    history_length: int,
    ks: Sequence[int] = KS,
    exclude_seen: bool = True,
    signals: Sequence[str] | None = None,
    name: str = "trained",
) -> dict[str, float]:
    """The metrics of `evaluate_ranking` without intervals and groups, for evaluations during training."""
    ks = _checked(ks, held_out)
    ranked = _rank(name, ranker, held_out, catalog, ks, history_length, signals, exclude_seen)
    columns = _columns(ranked, query_of_targets(held_out), len(held_out), ks)
    means = {metric: float(above.sum() / below.sum()) if below.any() else float("nan") for metric, (above, below) in columns.items()}
    for k in ks:
        shown = ranked.items[:, :k]
        counts = np.unique(shown[shown != PAD], return_counts=True)[1]
        if len(counts):
            means[metric_at("coverage", k)] = float(coverage(counts, len(catalog)))
            means[metric_at("gini", k)] = float(gini(counts, len(catalog)))
    return {metric: means[metric] for metric in in_order(means)}


def _checked(ks: Sequence[int], held_out: HeldOut) -> tuple[int, ...]:
    if not len(held_out):
        raise ValueError("an evaluation on logs needs at least one held-out query")
    if not ks or min(ks) < 1:
        raise ValueError(f"ks must be numbers of places from 1, not {list(ks)}")
    return tuple(sorted(set(ks)))


def _rank(
    name: str,
    ranker: Ranker,
    held_out: HeldOut,
    catalog: Catalog,
    ks: Sequence[int],
    history_length: int,
    signals: Sequence[str] | None,
    exclude_seen: bool,
) -> RankedQueries:
    properties = ListProperties(catalog, ks)
    items, ranks, columns = [], [], []
    for batch in top_lists(
        name, ranker, held_out, len(catalog), max(ks), history_length=history_length, signals=signals, exclude_seen=exclude_seen
    ):
        items.append(batch.items.int().cpu().numpy())
        ranks.append(batch.ranks.cpu().numpy())
        columns.append({metric: [side.cpu().numpy() for side in sides] for metric, sides in properties.of(batch.items).items()})
    joined = {metric: tuple(np.concatenate([part[metric][side] for part in columns]) for side in (0, 1)) for metric in columns[0]}
    return RankedQueries(np.concatenate(items), np.concatenate(ranks), joined)  # type: ignore[arg-type]


def _columns(ranked: RankedQueries, queries: np.ndarray, num_queries: int, ks: Sequence[int]) -> Columns:
    defined = {metric: sides for metric, sides in ranked.properties.items() if sides[1].any()}
    return _means(accuracy(ranked.ranks, queries, num_queries, ks)) | defined


def _means(values: Mapping[str, np.ndarray]) -> Columns:
    """Values `[Q]` of queries as numerators of means over queries."""
    return {metric: (each, np.ones(len(each))) for metric, each in values.items()}


def _intervals(sums: PersonSums, seed: int, resamples: int) -> dict[str, Interval]:
    intervals = zip(sums.names, ratio_intervals(sums.numerators, sums.denominators, seed, resamples), strict=True)
    return {metric: rate_interval(interval) if is_rate(metric) else interval for metric, interval in intervals}


def _exposure(items: np.ndarray, people: People, num_items: int, ks: Sequence[int]) -> dict[str, Interval]:
    """Coverage and Gini at each k, together at the cost of one table of a simulation; missing where nothing was recommended."""
    intervals: dict[str, Interval] = {}
    for k in ks:
        shown = items[:, :k]
        exists = shown != PAD
        if exists.any():
            # people without any item are not left out in turn: that would change nothing
            ids, to = np.unique(np.broadcast_to(people.of_session[:, None], shown.shape)[exists], return_inverse=True)
            found = exposure_intervals(to, shown[exists], len(ids), num_items, JACKKNIFE_BUDGET // len(ks))
            intervals[metric_at("coverage", k)], intervals[metric_at("gini", k)] = found
    return intervals
