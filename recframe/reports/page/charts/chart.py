"""A chart of the page: its heading, what it shows, its rows and its Vega-Lite specification."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
Row = Mapping[str, Any]

ROWS = "rows"
METRIC = "metric"
HIDDEN = "hidden"

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

# Okabe and Ito (2008), "Color universal design", without yellow and black, which white and dark pages swallow; blues are lighter on dark
COLOURS = ("var(--blue)", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "var(--sky)")
GREY = "#6f747d"
# of numbers, from low to high; either end is seen on white and on dark pages, and the two differ in lightness, too
LOW_TO_HIGH = ("#c98a1b", "#1f6fb5")
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 3), (2, 2))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")


@dataclass(frozen=True)
class Chart:
    """One chart.

    title: its heading, as text.   note: how to read it, as text.   rows: of its data.   spec: in Vega-Lite, for the data `ROWS`.
    least_width: in pixels, below which the chart is scrolled in narrow windows.
    """

    title: str
    note: str
    rows: Sequence[Row]
    spec: Spec
    least_width: int = 0


@dataclass(frozen=True)
class Style:
    """How a policy is drawn, the same in all charts: no two have the same colour, dash and shape."""

    colour: str
    dash: tuple[int, ...]
    shape: str


def styles(trained: Sequence[str], references: Sequence[str]) -> dict[str, Style]:
    """The styles of the drawn policies: references are grey, and differ in their shape."""
    drawn = {
        name: Style(COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)], SHAPES[place % len(SHAPES)])
        for place, name in enumerate(trained)
    }
    return drawn | {name: Style(GREY, (1, 3), SHAPES[place % len(SHAPES)]) for place, name in enumerate(references)}


def scale(drawn: Mapping[str, Style], what: str) -> Spec:
    """The encoding of the field `policy` by "colour", "dash" or "shape"; the legend is in the page, where the keyboard reaches it."""
    values = [getattr(style, what) for style in drawn.values()]
    return {
        "field": "policy",
        "type": "nominal",
        "scale": {"domain": list(drawn), "range": [list(one) if isinstance(one, tuple) else one for one in values]},
        "legend": None,
    }


def top(spec: Mapping[str, Any], description: str, metric: str | None = None) -> Spec:
    """The parts that all charts have. With `metric`, rows of another one are left out, and the page may set it."""
    params: list[Spec] = [{"name": HIDDEN, "value": []}]
    filters: list[Spec] = [{"filter": f"indexof({HIDDEN}, datum.policy) < 0"}]
    if metric is not None:
        params.append({"name": METRIC, "value": metric})
        filters.append({"filter": f"datum.metric === {METRIC}"})
    own = dict(spec)
    return {
        "$schema": SCHEMA,
        "description": description,
        "data": {"name": ROWS},
        "width": "container",
        "params": params + own.pop("params", []),
        "transform": filters + own.pop("transform", []),
        **own,
    }


def tooltip(**fields: str) -> list[Spec]:
    """Fields and what the tooltip calls them. Their values are text, formatted as in tables."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in fields.items()]


def plain_number(value: float | None) -> float | None:
    """A number as JSON can hold it, with six digits: null for what is not known."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
