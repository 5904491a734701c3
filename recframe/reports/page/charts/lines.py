"""Lines with bands over steps or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recframe.reports.cells import number
from recframe.reports.page.charts.chart import Row, Spec, Style, plain_number, scale, tooltip, top
from recframe.reports.page.curves import Band, Curve, band


def curve_rows(curves: Mapping[str, Sequence[Curve]], metrics: Sequence[str]) -> list[Row]:
    """A row for each policy, metric and step."""
    return [_row(name, metric, point) for metric in metrics for name, own in curves.items() for point in band(own, metric)]


def _row(policy: str, metric: str, point: Band) -> Row:
    several = point.runs > 1
    return {
        "policy": policy,
        "metric": metric,
        "step": point.step,
        "seconds": plain_number(point.seconds),
        "mean": plain_number(point.mean),
        "low": plain_number(point.low),
        "high": plain_number(point.high),
        "shown": number(point.mean) + (f" [{number(point.low)}, {number(point.high)}] of {point.runs} runs" if several else ""),
        "at": f"{point.step:,}" + ("" if point.seconds is None else f", after {number(point.seconds)} s"),
    }


def line_spec(drawn: Mapping[str, Style], x: str, x_title: str, description: str, metric: str | None) -> Spec:
    """The mean of each policy's runs against the field `x`, with a band from the lowest to the highest run."""
    colour = scale(drawn, "colour")
    y_scale = {"zero": False}
    layers = [
        {
            "mark": {"type": "area", "opacity": 0.14},
            "encoding": {"y": {"field": "low", "type": "quantitative", "scale": y_scale, "title": None}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {
                "y": {"field": "mean", "type": "quantitative", "scale": y_scale, "title": None},
                "strokeDash": scale(drawn, "dash"),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 42},
            "encoding": {
                "y": {"field": "mean", "type": "quantitative", "scale": y_scale, "title": None},
                "shape": scale(drawn, "shape"),
                "tooltip": tooltip(policy="policy", shown="mean", at=x_title),
            },
        },
    ]
    axis = {"tickCount": 5, **({"format": "~s"} if x == "step" else {})}
    spec = {
        "height": 260,
        "transform": [{"filter": f"isValid(datum.{x})"}],
        "encoding": {"x": {"field": x, "type": "quantitative", "title": x_title, "axis": axis}, "color": colour},
        "layer": layers,
    }
    return top(spec, description, metric)
