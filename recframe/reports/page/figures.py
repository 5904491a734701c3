"""Charts as figures of the page: their headings, choices and legends. The page's script draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recframe.metric_names import has_heading, heading
from recframe.reports.directions import LOWER, Directions
from recframe.reports.page.charts.chart import HIDDEN, METRIC, Chart, Row, Style
from recframe.reports.page.html import html_text, paragraph

MARKS = {
    "circle": '<circle cx="14" cy="6" r="3.5"/>',
    "square": '<rect x="11" y="3" width="6" height="6"/>',
    "triangle-up": '<path d="M14 2l4 7h-8z"/>',
    "diamond": '<path d="M14 1l4 5-4 5-4-5z"/>',
    "cross": '<path d="M12.5 2h3v2.5H18v3h-2.5V10h-3V7.5H10v-3h2.5z"/>',
    "triangle-down": '<path d="M14 10l4-7h-8z"/>',
    "triangle-right": '<path d="M18 6l-7 4V2z"/>',
    "triangle-left": '<path d="M10 6l7 4V2z"/>',
}


class Figures:
    """The charts of a page, numbered as they are added; their data and specifications are in the page once, at its end."""

    def __init__(self, drawn: Mapping[str, Style], directions: Directions | None = None) -> None:
        self.drawn = drawn
        self.directions = directions or Directions()
        self.charts: list[Chart] = []

    def with_styles(self, drawn: Mapping[str, Style]) -> Figures:
        """The same figures for a legend of something else, such as reward terms."""
        other = Figures(drawn, self.directions)
        other.charts = self.charts
        return other

    def figure(self, chart: Chart | None, wide: bool = False) -> str:
        """The place where a chart will be drawn; empty without one, or if it has no rows."""
        if chart is None or not chart.rows:
            return ""
        self.charts.append(chart)
        note = paragraph(chart.note, "how")
        title, size = html_text(chart.title), ' class="whole"' if wide else ""
        least = f' style="min-width: {chart.least_width}px"' if chart.least_width else ""
        place = f'<div class="chart" data-chart="{len(self.charts) - 1}"{least}><noscript>Charts need JavaScript.</noscript></div>'
        if least:
            place = f'<div class="wide" tabindex="0">{place}</div>'
        return f"<figure{size}><figcaption>{title}</figcaption>{note}{place}</figure>"

    def group(self, figures: Sequence[str], metrics: Sequence[str] = (), names: Sequence[str] = (), label: str = "metric") -> str:
        """Figures that share a choice of metric and a legend of the named policies."""
        shown = [figure for figure in figures if figure]
        if not shown:
            return ""
        controls = (self.choice(metrics, label) if len(metrics) > 1 else "") + (self.legend(names) if len(names) > 1 else "")
        bar = f'<div class="controls">{controls}</div>' if controls else ""
        return f'<div class="group">{bar}<div class="plots">{"".join(shown)}</div></div>'

    def choice(self, metrics: Sequence[str], label: str) -> str:
        """A list to choose the metric of a group's charts from."""
        options = "".join(f'<option value="{html_text(metric)}">{html_text(self._called(metric))}</option>' for metric in metrics)
        return f'<label>{html_text(label)} <select data-signal="{METRIC}">{options}</select></label>'

    def _called(self, metric: str) -> str:
        return metric_in_words(metric) + (f" ({LOWER})" if metric in self.directions.low else "")

    def legend(self, names: Sequence[str]) -> str:
        """A button for each policy, which hides and shows it in the charts of the group."""
        return f'<div class="legend" data-signal="{HIDDEN}">{"".join(self._entry(name) for name in names if name in self.drawn)}</div>'

    def _entry(self, name: str) -> str:
        style = self.drawn[name]
        dash = " ".join(map(str, style.dash)) if style.dash != (1, 0) else "none"
        line = f'<path d="M0 6h28" stroke-width="2" stroke-dasharray="{dash}" fill="none"/>'
        mark = (
            f'<svg width="28" height="12" fill="{style.colour}" stroke="{style.colour}" aria-hidden="true">{line}{MARKS[style.shape]}</svg>'
        )
        return f'<button type="button" aria-pressed="true" data-policy="{html_text(name)}">{mark}{html_text(name)}</button>'

    def data(self) -> list[dict[str, Any]]:
        """The specifications and data of all charts, for the script."""
        return [{"spec": chart.spec, "columns": _columns(chart.rows)} for chart in self.charts]


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows by columns; a text that occurs again and again is written once, in `texts`, and its number stands for it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        texts = list(dict.fromkeys(value for value in values if isinstance(value, str)))
        if texts and len(texts) * 2 < len(values) and all(value is None or isinstance(value, str) for value in values):
            place = {text: number for number, text in enumerate(texts)}
            columns[name] = {"texts": texts, "places": [None if value is None else place[value] for value in values]}
        else:
            columns[name] = values
    return columns


def metric_in_words(metric: str) -> str:
    """A metric as lists of choices call it."""
    if has_heading(metric):
        return heading(metric).replace("\n@", "@").replace("\n", " ")
    return metric
