"""The charts of final results: leaderboard, pairs, what a return costs, and speed."""

from __future__ import annotations

import math

import numpy as np

from recframe.evaluation.comparisons import probability_of_improvement
from recframe.metric_names import base_name
from recframe.reports.cells import interval_cell, number
from recframe.reports.directions import SECONDS
from recframe.reports.page.charts.chart import Chart, Row, Style, plain_number
from recframe.reports.page.charts.dots import dots_spec, pairs_spec, scatter_spec
from recframe.reports.page.factors import pareto
from recframe.reports.page.material import Material
from recframe.reports.page.policies import ComparedPolicy

AGAINST = ("coverage", "diversity", "novelty", "gini", "click_rate", "length")


def leaderboard_chart(material: Material) -> Chart:
    """The interquartile mean of each drawn policy with its interval."""
    rows: list[Row] = []
    drawn = [policy for policy in material.policies if policy.name in material.drawn]
    for metric in material.metrics:
        for policy in drawn:
            if (interval := policy.intervals.get(metric)) is not None and not math.isnan(interval.mean):
                known = not math.isnan(interval.low)
                rows.append(
                    {
                        "row": policy.name,
                        "policy": policy.name,
                        "metric": metric,
                        "kind": "trained" if policy.is_trained else "reference",
                        "mean": plain_number(interval.mean),
                        "low": plain_number(interval.low if known else interval.mean),
                        "high": plain_number(interval.high if known else interval.mean),
                        "shown": interval_cell(interval.mean, interval.low, interval.high) if known else number(interval.mean),
                        "count": len(policy.means[metric]),
                    }
                )
    several = len(material.runs) > 1
    how = "Interquartile mean over seeds" if several else "Mean over people"
    note = f"{how} and its 95 % interval. Blue circles are trained policies, grey diamonds are references."
    shown = "IQM" if several else "mean"
    spec = dots_spec([policy.name for policy in drawn], None, "Each policy with its interval", material.primary, shown)
    return Chart("Interquartile means" if several else "Means", note, rows, spec)


def pairwise(material: Material) -> Chart | None:
    """The probability of improvement of each pair of policies that have runs on the same people."""
    drawn = [policy for policy in material.policies if policy.name in material.drawn]
    trained = [policy for policy in drawn if policy.is_trained]
    if len(trained) < 2 or max(len(policy.seeds) for policy in trained) < 2:
        return None
    rows: list[Row] = []
    directions = material.directions
    for metric in material.metrics:
        sign = directions.sign(metric)
        for ours in drawn:
            for theirs in drawn:
                one, other = ours.means.get(metric, {}), theirs.means.get(metric, {})
                fair = np.equal.outer(*([material.people.group(folder) for folder in runs] for runs in (one, other)))
                if ours is theirs or not fair.any():
                    continue
                probability = probability_of_improvement(sign * np.array([*one.values()]), sign * np.array([*other.values()]), fair)
                # what is rounded is not certain
                certain = probability in (0.0, 1.0)
                shown = f"{probability:.0f}" if certain else f"{min(max(probability, 0.01), 0.99):.2f}".removeprefix("0")
                count = int(fair.sum())
                cell = {"ours": ours.name, "theirs": theirs.name, "policy": ours.name, "metric": metric}
                rows.append(cell | {"probability": plain_number(probability), "shown": shown, "count": count})
    if not rows:
        return None
    note = (
        "How often a run of the policy on the left is better than a run of the policy above, over all pairs of runs on the same people; "
        "ties count half. .5: neither is better. Blue: the left one, orange: the one above."
    )
    description = "The probability that one policy is better than another"
    spec = pairs_spec([policy.name for policy in drawn], description, str(material.primary))
    return Chart("Pairs", note, rows, spec, least_width=170 + 30 * len(drawn))


def tradeoffs(material: Material, drawn: dict[str, Style]) -> Chart | None:
    """The primary metric against coverage, diversity and others, and against the run's time."""
    primary = material.primary
    # those of rankings have a number of places
    shown = sorted((metric for metric in material.metrics if base_name(metric) in AGAINST), key=lambda one: AGAINST.index(base_name(one)))
    others = [metric for metric in shown if metric != primary]
    seconds = {str(run.folder): float(run.result["seconds"]) for run in material.runs}
    if primary is None or not material.policies:
        return None
    rows: list[Row] = []
    directions = material.directions
    for metric in (*others, SECONDS):
        points: dict[str, tuple[float, float]] = {}
        for policy in material.policies:
            x = {folder: seconds[folder] for folder in policy.seeds} if metric == SECONDS else policy.means.get(metric, {})
            y = policy.means.get(primary, {})
            both = [folder for folder in x if folder in y]
            if policy.name not in drawn or not both or (metric == SECONDS and not policy.is_trained):
                continue
            runs = [(x[folder], y[folder]) for folder in both]
            points[policy.name] = (sum(one for one, _ in runs) / len(runs), sum(two for _, two in runs) / len(runs))
            rows += [_point(policy, metric, f"seed {policy.seeds[folder]}", x[folder], y[folder]) for folder in both if len(both) > 1]
        signs = directions.sign(metric), directions.sign(primary)
        front = set(pareto({name: points[name] for name in points if _is_trained(name, material)}, signs))
        for policy in material.policies:
            if policy.name in points:
                rows.append(_point(policy, metric, None, *points[policy.name], policy.name in front))
    note = (
        "Large points are policies, small ones their runs. The dashed line joins the trained policies that no other beats in both. A "
        "policy with a high return at little coverage or diversity has collapsed: it shows the same to everybody."
    )
    first = next(iter(others), SECONDS)
    with_runs = any(row["run"] is not None for row in rows)
    spec = scatter_spec(drawn, primary, "Results against what they cost", first, with_runs)
    return Chart(f"{directions.named(primary)} and what it costs", note, rows, spec)


def _is_trained(name: str, material: Material) -> bool:
    return any(policy.name == name and policy.is_trained for policy in material.policies)


def _point(policy: ComparedPolicy, metric: str, run: str | None, x: float, y: float, front: bool = False) -> Row:
    return {
        "policy": policy.name,
        "metric": metric,
        "run": run,
        "label": None if policy.is_trained else policy.name,
        "x": plain_number(x),
        "y": plain_number(y),
        "shown_x": number(x),
        "shown_y": number(y),
        "front": front,
    }


def throughput(material: Material) -> Chart | None:
    """Steps a second in training, and seconds of whole runs, by trained policy."""
    rows: list[Row] = []
    seconds = {str(run.folder): float(run.result["seconds"]) for run in material.runs}
    speed_name = f"{material.counter} per second of training"
    order = [name for name in material.drawn if name in material.curves or _is_trained(name, material)]
    for name in order:
        speeds = [sorted(curve.speed.values()) for curve in material.curves.get(name, []) if curve.speed]
        own = [seconds[folder] for policy in material.trained if policy.name == name for folder in policy.seeds]
        for metric, values in ((speed_name, [speed[len(speed) // 2] for speed in speeds]), (SECONDS, own)):
            if values:
                mean, low, high = sum(values) / len(values), min(values), max(values)
                row = {"row": name, "policy": name, "metric": metric, "kind": "trained", "count": len(values)}
                numbers = {"mean": plain_number(mean), "low": plain_number(low), "high": plain_number(high)}
                rows.append(row | numbers | {"shown": interval_cell(mean, low, high) if len(values) > 1 else number(mean)})
    if not rows:
        return None
    note = "Mean over runs, with the lowest and the highest. The speed of a run is the median over its chunks, without evaluations."
    first = rows[0]["metric"]
    return Chart("Throughput and time", note, rows, dots_spec(order, None, "Speed and time of the runs", first))
