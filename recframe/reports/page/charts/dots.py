"""Values with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recframe.reports.page.charts.chart import COLOURS, GREY, LOW_TO_HIGH, Spec, Style, scale, tooltip, top

ROW_HEIGHT = 22


def dots_spec(rows: Sequence[str], x_title: str | None, description: str, metric: str | None, shown: str = "mean") -> Spec:
    """A point for each of `rows` (field `row`) at `mean`, with a line from `low` to `high`; grey where the field `kind` is "reference"."""
    kinds = {"domain": ["trained", "reference"], "range": [COLOURS[0], GREY]}
    encoding = {
        "y": {"field": "row", "type": "nominal", "sort": list(rows), "title": None},
        "color": {"field": "kind", "type": "nominal", "scale": kinds, "legend": None},
        "tooltip": tooltip(row="", shown=shown, count="runs"),
    }
    layers = [
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {
                "x": {"field": "low", "type": "quantitative", "scale": {"zero": False}, "title": x_title},
                "x2": {"field": "high"},
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {
                "x": {"field": "mean", "type": "quantitative", "scale": {"zero": False}, "title": x_title, "axis": {"tickCount": 5}},
                "shape": {
                    "field": "kind",
                    "type": "nominal",
                    "scale": {"domain": ["trained", "reference"], "range": ["circle", "diamond"]},
                    "legend": None,
                },
            },
        },
    ]
    return top({"height": ROW_HEIGHT * max(len(rows), 1), "encoding": encoding, "layer": layers}, description, metric)


def bars_spec(rows: Sequence[str], description: str, metric: str | None) -> Spec:
    """A bar for each of `rows` (field `row`), of the length of its `share`, from 0 to 1."""
    encoding = {
        "y": {"field": "row", "type": "nominal", "sort": list(rows), "title": None},
        "x": {
            "field": "share",
            "type": "quantitative",
            "scale": {"domain": [0, 1]},
            "title": "share of the variance between runs",
            "axis": {"format": ".0%", "tickCount": 5},
        },
    }
    layers = [
        {"mark": {"type": "bar", "color": COLOURS[0], "height": 12}, "encoding": {"tooltip": tooltip(row="", shown="share")}},
        {"mark": {"type": "text", "align": "left", "dx": 5}, "encoding": {"text": {"field": "shown", "type": "nominal"}}},
    ]
    return top({"height": ROW_HEIGHT * max(len(rows), 1), "encoding": encoding, "layer": layers}, description, metric)


def scatter_spec(drawn: Mapping[str, Style], y_title: str, description: str, metric: str, with_runs: bool) -> Spec:
    """Each policy at its `x` (of the chosen metric) and `y`, its runs as small points if there are several, and a line through those that
    no other beats.
    """
    position = {
        "x": {"field": "x", "type": "quantitative", "scale": {"zero": False}, "title": None, "axis": {"tickCount": 5}},
        "y": {"field": "y", "type": "quantitative", "scale": {"zero": False}, "title": y_title, "axis": {"tickCount": 5}},
    }
    shape, colour = scale(drawn, "shape"), scale(drawn, "colour")
    tips = tooltip(policy="policy", run="run", shown_x="x", shown_y=y_title)
    layers = [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {"type": "line", "strokeWidth": 1.5, "strokeDash": [4, 3], "color": GREY, "interpolate": "linear"},
            "encoding": {"order": {"field": "x", "type": "quantitative"}},
        },
        {
            "transform": [{"filter": "datum.run !== null"}],
            "mark": {"type": "point", "filled": True, "size": 22, "opacity": 0.45},
            "encoding": {"color": colour, "shape": shape, "tooltip": tips},
        },
        {
            "transform": [{"filter": "datum.run === null"}],
            "mark": {"type": "point", "filled": True, "size": 110, "opacity": 0.95},
            "encoding": {"color": colour, "shape": shape, "tooltip": tips},
        },
        {
            "transform": [{"filter": "datum.run === null && datum.label !== null"}],
            "mark": {"type": "text", "align": "left", "dx": 8, "dy": -6, "fontSize": 10},
            "encoding": {"text": {"field": "label", "type": "nominal"}},
        },
    ]
    if not with_runs:
        del layers[1]
    return top({"height": 320, "encoding": position, "layer": layers}, description, metric)


def pairs_spec(names: Sequence[str], description: str, metric: str) -> Spec:
    """A cell for each pair, with the probability that the policy of the row is better than that of the column."""
    encoding = {
        "y": {"field": "ours", "type": "nominal", "sort": list(names), "title": None},
        "x": {
            "field": "theirs",
            "type": "nominal",
            "sort": list(names),
            "title": None,
            "axis": {"orient": "top", "labelAngle": -60, "labelLimit": 130},
        },
    }
    layers = [
        {
            "mark": {"type": "rect"},
            "encoding": {
                "color": {
                    "field": "probability",
                    "type": "quantitative",
                    "scale": {"scheme": "blueorange", "domain": [0, 1], "reverse": True},
                    "legend": None,
                },
                "tooltip": tooltip(ours="the policy", theirs="is better than", shown="with probability", count="pairs of runs"),
            },
        },
        {
            "mark": {"type": "text", "fontSize": 10},
            "encoding": {
                "text": {"field": "shown", "type": "nominal"},
                "color": {"condition": {"test": "abs(datum.probability - 0.5) > 0.3", "value": "white"}, "value": "#111"},
            },
        },
    ]
    return top({"height": 26 * len(names), "encoding": encoding, "layer": layers}, description, metric)


def parallel_spec(axes: Sequence[str], colour_title: str, description: str, low_is_better: bool = False) -> Spec:
    """A line for each run through its value of each setting (rows of the kind "run"), with the values beside the axes (kind "label").

    low_is_better: whether low results have the blue end of the colours.
    """
    position = {
        "x": {"field": "axis", "type": "nominal", "sort": list(axes), "title": None, "scale": {"padding": 0.1}, "axis": {"labelAngle": 0}},
        "y": {"field": "position", "type": "quantitative", "axis": None, "scale": {"domain": [-0.04, 1.04]}},
    }
    over = {"name": "over", "select": {"type": "point", "on": "pointerover", "clear": "pointerout", "fields": ["run"], "nearest": False}}
    thick = {"condition": {"param": "over", "empty": False, "value": 4}, "value": 1.3}
    layers = [
        {
            "transform": [{"filter": "datum.kind === 'run'"}],
            "params": [over],
            "mark": {"type": "line", "opacity": 0.7},
            "encoding": {
                "detail": {"field": "run", "type": "nominal"},
                "color": {
                    "field": "result",
                    "type": "quantitative",
                    "scale": {"range": list(LOW_TO_HIGH), "interpolate": "lab", "reverse": low_is_better},
                    "legend": {"orient": "bottom", "title": colour_title, "gradientLength": 160, "tickCount": 4},
                },
                "strokeWidth": thick,
                "tooltip": tooltip(run="run", shown=colour_title),
            },
        },
        _labels({"stroke": "var(--back)", "strokeWidth": 4}),
        _labels({}),
    ]
    return top({"height": 280, "encoding": position, "layer": layers}, description)


def _labels(style: Spec) -> Spec:
    """The values beside the axes. They are drawn twice: first thick in the colour of the page, so that lines do not cross them."""
    return {
        "transform": [{"filter": "datum.kind === 'label'"}],
        "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11, **style},
        "encoding": {"text": {"field": "shown", "type": "nominal"}},
    }
