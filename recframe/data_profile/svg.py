"""Small plots as inline SVG. Colours are classes of the page's style sheet, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from recframe.data_profile.quantities import Histogram

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 26
INSIDE_WIDTH, INSIDE_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

Labels = Callable[[float], str]


def histogram_plot(histogram: Histogram, title: str, label: Labels) -> str:
    """Bars of a histogram. Bins in geometric progression have bars of equal width. label: writes an edge below its bar."""
    size = len(histogram.counts)
    step = INSIDE_WIDTH / size
    bars = [_bar(LEFT + step * place, step, count, max(histogram.counts)) for place, count in enumerate(histogram.counts)]
    tips = [_range(histogram, place, label) for place in range(size)]
    shown = sorted({0, size // 2, size} if not histogram.log else {0, size // 3, 2 * size // 3, size})
    ticks = [(LEFT + step * place, label(histogram.edges[place])) for place in shown]
    return _plot(title, _with_tips(bars, tips, histogram.counts), ticks, max(histogram.counts))


def value_plot(values: Sequence[tuple[float, int]], title: str, label: Labels) -> str:
    """A bar for each value, with its count."""
    step = INSIDE_WIDTH / len(values)
    most = max(count for _, count in values)
    bars = [_bar(LEFT + step * (place + 0.1), step * 0.8, count, most) for place, (_, count) in enumerate(values)]
    ticks = [(LEFT + step * (place + 0.5), label(value)) for place, (value, _) in enumerate(values)]
    return _plot(title, _with_tips(bars, [label(value) for value, _ in values], [count for _, count in values]), ticks, most)


def concentration_plot(points: Sequence[tuple[float, float]], title: str) -> str:
    """The share of the interactions (upwards) that the most active share (to the right) has; the diagonal is where all have the same."""
    path = " ".join(f"{LEFT + INSIDE_WIDTH * x:.1f},{TOP + INSIDE_HEIGHT * (1 - y):.1f}" for x, y in points)
    diagonal = f'<line class="grid" x1="{LEFT}" y1="{TOP + INSIDE_HEIGHT}" x2="{LEFT + INSIDE_WIDTH}" y2="{TOP}"/>'
    ticks = [(LEFT + INSIDE_WIDTH * share, f"{share:.0%}") for share in (0, 0.5, 1)]
    return _plot(title, f'{diagonal}<polyline class="line" points="{path}"/>', ticks, None)


def short(value: float) -> str:
    """A number in a few characters: 950, 1.2k, 3M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _bar(left: float, width: float, count: int, most: int) -> str:
    height = INSIDE_HEIGHT * count / max(most, 1)
    height = max(height, 1.0) if count else 0.0  # what is there is seen
    top = TOP + INSIDE_HEIGHT - height
    return f'<rect class="bar" x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(width - 1, 1):.1f}" height="{height:.1f}">'


def _with_tips(bars: Sequence[str], names: Sequence[str], counts: Sequence[int]) -> str:
    tips = (f"{bar}<title>{escape(name)}: {count:,}</title></rect>" for bar, name, count in zip(bars, names, counts, strict=True))
    return "".join(tips)


def _range(histogram: Histogram, place: int, label: Labels) -> str:
    first, end = histogram.edges[place : place + 2]
    if not histogram.log:
        return f"{label(first)} to {label(end)}"
    return label(first) if end - 1 == first else f"{label(first)} to {label(end - 1)}"


def _plot(title: str, marks: str, ticks: Sequence[tuple[float, str]], most: int | None) -> str:
    floor = TOP + INSIDE_HEIGHT
    heights = [(floor, "0"), (TOP, short(most))] if most is not None else [(floor, "0%"), (TOP, "100%")]
    lines = "".join(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{LEFT + INSIDE_WIDTH}" y2="{y}"/>' for y, _ in heights)
    sides = "".join(f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{escape(text)}</text>' for y, text in heights)
    below = "".join(
        f'<text class="tick" x="{min(x, WIDTH - RIGHT):.1f}" y="{HEIGHT - 8}" text-anchor="{_anchor(x)}">{escape(text)}</text>'
        for x, text in ticks
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{lines}{marks}{sides}{below}</svg></figure>"
    )


def _anchor(x: float) -> str:
    return "start" if x <= LEFT else "end" if x >= WIDTH - RIGHT - 1 else "middle"
