"""The sections on results: leaderboard, comparisons, curves, trade-offs, settings, reward terms and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recframe.evaluation.html_tables import results_html
from recframe.metric_names import REWARD
from recframe.reports.cells import interval_cell, number
from recframe.reports.comparison import comparison_table
from recframe.reports.frame import num_items
from recframe.reports.page.charts.chart import Chart, Style, styles
from recframe.reports.page.charts.lines import curve_rows, line_spec
from recframe.reports.page.charts.results import leaderboard_chart, pairwise, throughput, tradeoffs
from recframe.reports.page.charts.varied import factor_charts, parallel
from recframe.reports.page.figures import Figures
from recframe.reports.page.html import folded, html_table, html_text, paragraph, section
from recframe.reports.page.material import Material
from recframe.reports.runs import SweepError, SweepRun

SHOWN_ROWS = 40
HIERARCHICAL = (
    "IQM: interquartile mean over seeds. In brackets its 95 % interval, by a bootstrap over seeds and people (of one seed: over people "
    "only). With three to five seeds such intervals are too short: believe differences that the paired comparison confirms."
)


def results_section(material: Material, figures: Figures) -> str:
    """The leaderboard; of a single run, its tables of results."""
    if not material.policies:
        return ""
    chart = figures.group([figures.figure(leaderboard_chart(material), wide=True)], material.metrics)
    told = material.directions.told(material.metrics)
    directions = paragraph(f"{told[0].upper()}{told[1:]}." if told else "")
    if len(material.runs) == 1:
        (run,) = material.runs
        return section("results", "Results", f'<div class="wide" tabindex="0">{results_html(run.result)}</div>', directions, chart)
    columns = ["policy", "seeds", *material.metrics]
    rows: list[tuple[bool, list[str]]] = []
    rest: list[tuple[bool, list[str]]] = []
    for policy in material.policies:
        cells = [policy.intervals.get(metric) for metric in material.metrics]
        shown = ["-" if one is None else interval_cell(one.mean, *_known(one.low, one.high)) for one in cells]
        line = [html_text(policy.name), str(len(policy.seeds)), *map(html_text, shown)]
        # a reference that differs between the settings is shown where it is best
        known = rows if (policy.is_trained or policy.name in material.drawn) and len(rows) < SHOWN_ROWS else rest
        known.append((policy.is_trained, line))
    content = _table(columns, rows)
    if rest:
        content += folded(f"{len(rest)} more: references under other settings, and further policies", _table(columns, rest))
    return section("results", "Results", paragraph(HIERARCHICAL), directions, chart, content, _cut(material))


def _table(columns: Sequence[str], rows: Sequence[tuple[bool, Sequence[str]]]) -> str:
    bold = [place for place, (is_trained, _) in enumerate(rows) if is_trained]
    return html_table([*map(html_text, columns)], [line for _, line in rows], list(range(1, len(columns))), bold)


def _known(low: float, high: float) -> tuple[float | None, float | None]:
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)


def _cut(material: Material) -> str:
    left = len(material.trained) - len([policy for policy in material.trained if policy.name in material.drawn])
    return paragraph(f"Charts draw the best trained policies; {left} more are in the table only.") if left > 0 else ""


def comparison_section(material: Material, figures: Figures) -> str:
    """All policies against the best reference, paired, and all pairs of policies."""
    if len(material.runs) < 2:
        return ""
    count = num_items([run.result for run in material.runs])
    try:
        compared = comparison_table(material.frame, list(material.keys_of_frame), None, None, count, material.people, material.directions)
    except SweepError:
        compared = None
    content = ""
    if compared is not None:
        labels = len(compared.header) - len(compared.header[compared.header.index("seeds") :])
        rows = [[html_text(cell) for cell in row] for row in compared.rows]
        numbers = list(range(labels, len(compared.header)))
        shown = html_table([html_text(name) for name in compared.header], rows[:SHOWN_ROWS], numbers)
        if len(rows) > SHOWN_ROWS:
            shown += folded(
                f"{len(rows) - SHOWN_ROWS} more", html_table([html_text(name) for name in compared.header], rows[SHOWN_ROWS:], numbers)
            )
        content = f"<h3>{html_text(compared.title)}</h3>" + shown + "".join(paragraph(note) for note in compared.notes)
    pairs = figures.group([figures.figure(pairwise(material), wide=True)], material.metrics)
    return section("comparisons", "Which differences could be chance?", content, pairs)


def curves_section(material: Material, figures: Figures) -> str:
    """Learning curves against steps and against time."""
    metrics = _ordered(material, [name for name in _evaluated(material) if not name.startswith(REWARD)])
    if not metrics:
        return ""
    drawn = {name: figures.drawn[name] for name in material.curves}
    rows = curve_rows(material.curves, metrics)
    note = "Evaluations in training, on people of training. The band is from the lowest to the highest run."
    steps = Chart(f"Against {material.counter}", note, rows, line_spec(drawn, "step", material.counter, "Learning curves", metrics[0]))
    timed = [row for row in rows if row["seconds"] is not None]
    time = Chart(
        "Against time",
        "Seconds of training, without evaluations.",
        timed,
        line_spec(drawn, "seconds", "seconds", "Learning curves against time", metrics[0]),
    )
    content = figures.group([figures.figure(steps), figures.figure(time)], metrics, list(drawn))
    return section("curves", "Learning curves", content)


def tradeoffs_section(material: Material, figures: Figures) -> str:
    """The primary metric against what it costs."""
    chart = tradeoffs(material, dict(figures.drawn))
    if chart is None:
        return ""
    metrics = list(dict.fromkeys(str(row["metric"]) for row in chart.rows))
    names = [name for name in figures.drawn if any(row["policy"] == name for row in chart.rows)]
    return section("tradeoffs", "What it costs", figures.group([figures.figure(chart, wide=True)], metrics, names, "against"))


def settings_section(material: Material, figures: Figures) -> str:
    """Effect and importance of what was varied, and all runs."""
    effects = figures.group([figures.figure(chart) for chart in factor_charts(material)], material.metrics)
    runs = figures.group([figures.figure(parallel(material), wide=True)])
    return section("settings", "What matters", effects, runs)


def rewards_section(material: Material, figures: Figures) -> str:
    """Reward terms over time: of one policy all terms, of several one at a time."""
    terms = [name for name in _evaluated(material) if name.startswith(REWARD)]
    if len(terms) < 1:
        return ""
    rows = curve_rows(material.curves, terms)
    note = "Sum over a session of each term, as it counts in the return, in evaluations in training."
    if len(material.curves) > 1:
        drawn = {name: figures.drawn[name] for name in material.curves}
        spec = line_spec(drawn, "step", material.counter, "Reward terms over time", terms[0])
        return section(
            "rewards",
            "Reward terms",
            figures.group([figures.figure(Chart("Over time", note, rows, spec), wide=True)], terms, list(drawn), "term"),
        )
    own = styles([term.removeprefix(REWARD) for term in terms], [])
    by_term = [{**row, "policy": str(row["metric"]).removeprefix(REWARD)} for row in rows]
    spec = line_spec(own, "step", material.counter, "Reward terms over time", None)
    of_terms = figures.with_styles(own)
    return section(
        "rewards", "Reward terms", of_terms.group([figures.figure(Chart("Over time", note, by_term, spec), wide=True)], (), list(own))
    )


def cost_section(material: Material, figures: Figures) -> str:
    """Throughput, time of runs, and what all runs took together."""
    chart = throughput(material)
    metrics = list(dict.fromkeys(str(row["metric"]) for row in chart.rows)) if chart is not None else []
    seconds = sum(float(run.result["seconds"]) for run in material.sweep.runs)
    counts = {"env steps": sum(int(run.result["env_steps"]) for run in material.sweep.runs)}
    counts["batches of a log"] = sum(_batches(run) for run in material.sweep.runs)
    steps = " and ".join(f"{count:,} {unit}" for unit, count in counts.items() if count) or "no training"
    total = f"All finished runs together: {steps} in {_duration(seconds)}, added up over the runs." if material.sweep.runs else ""
    return section("cost", "Throughput and cost", figures.group([figures.figure(chart, wide=True)], metrics), paragraph(total))


def _batches(run: SweepRun) -> int:
    count = run.result.get("batches", 0)
    return count if isinstance(count, int) else 0


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{number(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _evaluated(material: Material) -> list[str]:
    return list(dict.fromkeys(name for curves in material.curves.values() for curve in curves for name in curve.evaluated))


def _ordered(material: Material, metrics: list[str]) -> list[str]:
    """The primary metric first: it is what charts begin with."""
    return sorted(metrics, key=lambda name: name != material.primary)


def drawn_styles(material: Material) -> Mapping[str, Style]:
    """The style of each drawn policy, the same in all charts of the page."""
    references = {policy.name for policy in material.policies if not policy.is_trained}
    return styles([name for name in material.drawn if name not in references], [name for name in material.drawn if name in references])
