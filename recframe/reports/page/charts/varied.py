"""The charts of what was varied: effects, importance, and all runs on parallel axes."""

from __future__ import annotations

import math

import numpy as np

from recframe.reports.cells import interval_cell, number
from recframe.reports.page.charts.chart import Chart, Row, plain_number
from recframe.reports.page.charts.dots import bars_spec, dots_spec, parallel_spec
from recframe.reports.page.factors import MOST_LEVELS, factor, positions
from recframe.reports.page.material import Material
from recframe.reports.runs import SweepRun

MOST_FACTORS = 8
MOST_RUNS = 500


def factor_charts(material: Material) -> list[Chart]:
    """The importance of all settings that were varied, and the effect of each."""
    keys, measured = list(material.keys), _measured(material)
    if not keys or len(measured) < 3 or material.primary is None:
        return []
    shares: list[Row] = []
    effects: dict[str, list[Row]] = {}
    order: dict[str, list[str]] = {}
    for metric in material.metrics:
        known = [(run, values[metric]) for run, values in measured if metric in values]
        results = np.array([value for _, value in known])
        for key in keys:
            if not len(results):
                continue
            found = factor(key, [run.settings.get(key) for run, _ in known], results)
            name = material.keys[key]
            if not math.isnan(found.share):
                shown = f"{found.share:.0%}"
                shares.append({"row": name, "policy": "", "metric": metric, "share": plain_number(found.share), "shown": shown})
            order.setdefault(key, [effect.level for effect in found.effects])
            for effect in found.effects:
                known_interval = not math.isnan(effect.low)
                effects.setdefault(key, []).append(
                    {
                        "row": effect.level,
                        "policy": "",
                        "metric": metric,
                        "kind": "trained",
                        "mean": plain_number(effect.mean),
                        "low": plain_number(effect.low if known_interval else effect.mean),
                        "high": plain_number(effect.high if known_interval else effect.mean),
                        "shown": interval_cell(effect.mean, effect.low, effect.high) if known_interval else number(effect.mean),
                        "count": effect.runs,
                    }
                )
    charts = []
    primary = [row for row in shares if row["metric"] == material.primary]
    if primary:
        ranked = [str(row["row"]) for row in sorted(primary, key=lambda row: -float(row["share"]))]
        note = (
            "How much of the variance between trained runs each setting explains alone (epsilon squared, which is about 0 for a setting "
            "without effect). What is left is seeds, and settings that matter together."
        )
        charts.append(Chart("Importance", note, shares, bars_spec(ranked, "The importance of each setting", material.primary)))
        keys.sort(key=lambda key: ranked.index(material.keys[key]) if material.keys[key] in ranked else len(ranked))
    for key in [key for key in keys if len(order[key]) > 1][:MOST_FACTORS]:
        note = "Mean over all trained runs with each value, whatever their other settings, and its 95 % interval over runs."
        charts.append(
            Chart(
                f"Effect of {material.keys[key]}", note, effects[key], dots_spec(order[key], None, f"The effect of {key}", material.primary)
            )
        )
    return charts


def parallel(material: Material) -> Chart | None:
    """All trained runs on parallel axes, one for each setting and one for the primary metric."""
    primary, several = material.primary, {key: {run.settings.get(key) for run in material.runs} for key in material.keys}
    keys = [key for key, values in several.items() if len(values) > 1][:MOST_FACTORS]
    found = [(run, values[primary]) for run, values in _measured(material) if primary in values] if primary else []
    measured = found[:MOST_RUNS]
    if primary is None or len(keys) < 2 or len(measured) < 3:
        return None
    rows: list[Row] = []
    axes = [*(material.keys[key] for key in keys), primary]
    texts = [[run.settings.get(key) for run, _ in measured] for key in keys] + [[f"{value:.6g}" for _, value in measured]]
    for axis, levels in zip(axes, texts, strict=True):
        places = positions(levels)
        for (run, value), place in zip(measured, places, strict=True):
            if place is not None:
                # seeds that have the same settings would lie upon each other
                own = {"run": run.name, "policy": "", "kind": "run", "axis": axis, "position": plain_number(place)}
                rows.append(own | {"result": plain_number(value), "shown": number(value)})
        shown = {place: level or "-" for place, level in zip(places, levels, strict=True) if place is not None}
        if len(shown) > MOST_LEVELS:
            shown = {place: shown[place] for place in (min(shown), max(shown))}
        for place, level in shown.items():
            text = number(float(level)) if axis == primary else level
            label = {"run": None, "policy": "", "kind": "label", "axis": axis, "position": plain_number(place)}
            rows.append(label | {"result": None, "shown": text if len(text) <= 18 else f"{text[:17]}…"})
    note = "A line is a trained run; the bluer, the better. Point at one to see which it is."
    if len(found) > MOST_RUNS:
        note += f" These are the first {MOST_RUNS} of {len(found)} runs."
    directions = material.directions
    spec = parallel_spec(axes, directions.named(primary), "The settings and the result of each run", primary in directions.low)
    return Chart("All runs", note, rows, spec, least_width=110 * len(axes))


def _measured(material: Material) -> list[tuple[SweepRun, dict[str, float]]]:
    """The finished runs with the results of their trained policies."""
    values: dict[str, dict[str, float]] = {}
    for policy in material.trained:
        for metric, means in policy.means.items():
            for folder, value in means.items():
                values.setdefault(folder, {})[metric] = value
    return [(run, values[str(run.folder)]) for run in material.runs if str(run.folder) in values]
