"""Catalogue coverage and the Gini index of exposure of a set of people, with intervals."""

from __future__ import annotations

import numpy as np

from recframe.evaluation.statistics import CHUNK_ELEMENTS, Interval, jackknife_interval

# number of (item, left-out group of people) pairs that are sorted for an interval, which takes some seconds
JACKKNIFE_BUDGET = 30_000_000
MINIMUM_GROUPS = 50


def coverage(exposures: np.ndarray, num_items: int) -> np.ndarray:
    """Share of the `num_items` items that were shown. `exposures` `[..., m]` are the counts of m of the items; the others' are 0."""
    share: np.ndarray = (exposures > 0).sum(axis=-1) / num_items
    return share


def gini(exposures: np.ndarray, num_items: int) -> np.ndarray:
    """Gini index of exposure over `num_items` items: 0 if all are shown equally often, `1 - 1/num_items` if only one is shown.

    `exposures` `[..., m]` are the counts of m of the items; the others' are 0. `G = 2 sum_i i x_(i) / (M sum_i x_i) - (M + 1) / M`
    with x in ascending order, zeros first, so that only m counts are sorted.
    """
    ascending = np.sort(exposures, axis=-1)
    places = np.arange(num_items - exposures.shape[-1], num_items) + 1
    index: np.ndarray = 2.0 * (ascending @ places) / (num_items * ascending.sum(axis=-1)) - (num_items + 1) / num_items
    return index


def exposure_means(items: np.ndarray, num_items: int) -> tuple[float, float]:
    """Coverage and Gini of all `items` that were shown."""
    totals = np.unique(items, return_counts=True)[1]
    return float(coverage(totals, num_items)), float(gini(totals, num_items))


def exposure_intervals(
    people: np.ndarray, items: np.ndarray, num_people: int, num_items: int, budget: int | None = None
) -> tuple[Interval, Interval]:
    """Coverage and Gini with 95 % intervals over people. Person `people[r]` (0 to P - 1) was shown `items[r]`, for every row r.

    Both are properties of a *set* of people and depend on its size: compare them between policies only for equal numbers of people. For
    the same reason they are not bootstrapped: a resample holds 63 % of the people and covers less in any case. Shifted to the
    estimate, bootstrap intervals still missed the truth up to 19 times in 100 in simulation (120 people, Zipfian exposure). Jackknife
    intervals (`jackknife_interval`) missed it at most 6 times.

    People are left out one at a time, or in groups where that would sort more than `budget` items (None: `JACKKNIFE_BUDGET`). Only shown
    items are kept, so memory does not grow with the catalogue. The intervals of one person are NaN.
    """
    shown, columns, totals = np.unique(items, return_inverse=True, return_counts=True)
    num_groups = min(num_people, max(MINIMUM_GROUPS, (JACKKNIFE_BUDGET if budget is None else budget) // len(shown)))
    order = np.argsort(people % num_groups, kind="stable")
    groups, columns = (people % num_groups)[order], columns[order]
    # the empty arrays stand for no groups at all
    covered, unequal = [np.empty(0)], [np.empty(0)]
    rows = max(1, CHUNK_ELEMENTS // len(shown))
    for start in range(0, num_groups if num_groups > 1 else 0, rows):
        stop = min(start + rows, num_groups)
        chunk = slice(*np.searchsorted(groups, [start, stop]))
        cells = (groups[chunk] - start) * len(shown) + columns[chunk]
        left = totals - np.bincount(cells, minlength=(stop - start) * len(shown)).reshape(stop - start, len(shown))
        covered.append(coverage(left, num_items))
        unequal.append(gini(left, num_items))
    return (
        jackknife_interval(float(coverage(totals, num_items)), np.concatenate(covered), num_people),
        jackknife_interval(float(gini(totals, num_items)), np.concatenate(unequal), num_people),
    )
