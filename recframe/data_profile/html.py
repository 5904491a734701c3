"""The profile of data as one HTML file, which asks for nothing from the network and runs no script. Every value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from recframe.console import plain
from recframe.data_profile.interactions import day_of
from recframe.data_profile.profile import DataProfile
from recframe.data_profile.quantities import Quantiles
from recframe.data_profile.svg import concentration_plot, histogram_plot, value_plot
from recframe.data_profile.tables import QUANTILE_HEADINGS, facts_of, figure, percent
from recframe.errors import UserError

MARK = '<meta name="generator" content="recframe data describe">'
"""How a profile is known, so that a later one takes the place of an earlier one and of nothing else."""
MARK_WITHIN = 500
LONGEST_TEXT = 300

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --text: #1c1e21; --soft: #5c6370; --line: #d9dce1; --bar: #3b6fb6; --doubt: #b3541e }
@media (prefers-color-scheme: dark) {
  :root { --back: #16181c; --text: #e4e6ea; --soft: #9aa2af; --line: #33373e; --bar: #6ea0e6; --doubt: #f0a36b }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1020px; padding: 24px 16px 60px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 17px; margin: 36px 0 8px }
p.made { color: var(--soft); margin: 2px 0 20px }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 0 } dl.facts dd { margin: 0 }
dt { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 500 } .number { text-align: right; white-space: nowrap }
.doubt { color: var(--doubt); font-weight: 600 }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 18px }
figure { margin: 0 } figcaption { color: var(--soft) } svg { width: 100%; height: auto; display: block }
.bar { fill: var(--bar) } .line { fill: none; stroke: var(--bar); stroke-width: 2 } .grid { stroke: var(--line) }
.tick { fill: var(--soft); font: 11px system-ui, sans-serif }
"""


def check_target(path: Path) -> None:
    """Refuse to write over a file that is no profile.

    Raises
    ------
    UserError: if there is one, or its folder is missing.
    """
    if not path.parent.is_dir():
        raise UserError(f"--html {path}: there is no folder {path.parent}")
    if not path.exists():
        return
    if not path.is_file() or MARK not in path.read_bytes()[:MARK_WITHIN].decode("utf-8", "replace"):
        raise UserError(f"--html {path}: is there already, and no profile of recframe data describe; choose another name")


def write_html(profile: DataProfile, path: Path) -> bool:
    """Write the profile to `path`, under another name first, and say whether it took the place of an earlier profile.

    Raises
    ------
    UserError: see `check_target`.
    """
    check_target(path)
    replaced = path.exists()
    other = path.with_name(f".{path.name}.new")
    try:
        other.write_text(page_of(profile), "utf-8")
        other.replace(path)
    finally:
        other.unlink(missing_ok=True)
    return replaced


def page_of(profile: DataProfile) -> str:
    """The HTML of a profile."""
    title = _safe(f"Data profile: {profile.name}")
    facts = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in facts_of(profile))
    return "\n".join(
        (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f'<h1>{title}</h1>\n<p class="made">made {profile.made:%Y-%m-%d %H:%M} UTC by recframe data describe</p>',
            f'<dl class="facts">{facts}</dl>',
            _doubts(profile),
            _plots(profile),
            _distributions(profile),
            _attributes(profile),
            _repeats(profile),
            _examples(profile),
            "</body>\n</html>\n",
        )
    )


def _safe(text: str, most: int = LONGEST_TEXT) -> str:
    return escape(plain(text, most))


def _table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are safe already; the columns in `numbers` are aligned to the right."""

    def row(tag: str, cells: Sequence[str]) -> str:
        classes = [' class="number"' if place in numbers else "" for place in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{which}>{cell}</{tag}>" for which, cell in zip(classes, cells, strict=True)) + "</tr>"

    body = "".join(row("td", cells) for cells in rows)
    return f'<h2>{heading}</h2>\n<div class="wide"><table>{row("th", columns)}{body}</table></div>' if body else ""


def _doubts(profile: DataProfile) -> str:
    if not profile.doubts:
        return "<h2>What looks suspicious</h2>\n<p>Nothing.</p>"
    rows = []
    for one in profile.doubts:
        what, share = f'<span class="doubt">{_safe(one.what)}</span>', f"{escape(percent(one.share))} of {one.total:,} {_safe(one.unit)}"
        rows.append((what, f"{one.count:,}", share, _safe(one.meaning), _safe(one.remedy)))
    return _table("What looks suspicious", ("", "count", "share", "meaning", "what to do"), rows, numbers=(1,))


def _plots(profile: DataProfile) -> str:
    plots = []
    if profile.time is not None and profile.time.distinct > 1:
        plots.append(histogram_plot(profile.time.histogram, "Interactions over time", lambda seconds: day_of(int(seconds))))
    for one, activity in (("user", profile.users), ("item", profile.items)):
        if activity is not None:
            plots.append(histogram_plot(activity.histogram, f"{one.title()}s by number of interactions", figure))
            plots.append(concentration_plot(activity.concentration, f"Share of interactions of the most active {one}s"))
    for signal in profile.feedback:
        name = plain(signal.name)
        if signal.values:
            plots.append(value_plot(signal.values, f"{name}: interactions by value", figure))
        elif signal.histogram is not None:
            plots.append(histogram_plot(signal.histogram, f"{name}: interactions by value", figure))
    for role, coverage in profile.texts.items():
        if coverage.histogram is not None:
            plots.append(histogram_plot(coverage.histogram, f"{role.capitalize()} by number of words", figure))
    return f'<h2>Distributions</h2>\n<div class="plots">{"".join(plots)}</div>' if plots else ""


def _distributions(profile: DataProfile) -> str:
    rows: list[tuple[str, Quantiles]] = []
    if profile.users is not None and profile.items is not None:
        rows += [("interactions per user", profile.users.quantiles), ("interactions per item", profile.items.quantiles)]
    rows += [(signal.name, signal.quantiles) for signal in profile.feedback if signal.quantiles is not None]
    for role, coverage in profile.texts.items():
        if coverage.words is not None and coverage.characters is not None:
            rows += [(f"words, {role}", coverage.words), (f"characters, {role}", coverage.characters)]
    cells = ((_safe(name), *(figure(value) for value in (*found.values, found.mean))) for name, found in rows)
    return _table("Quantiles", ("", *QUANTILE_HEADINGS), cells, numbers=range(1, 9))


def _attributes(profile: DataProfile) -> str:
    return _table("Attributes of items", ("", "known"), ((_safe(name), f"{share:.1%}") for name, share in profile.attributes.items()), (1,))


def _repeats(profile: DataProfile) -> str:
    rows = [(_safe(role), f"{count:,}", _safe(text)) for role, coverage in profile.texts.items() for text, count in coverage.repeats]
    return _table("Texts that occur most often", ("", "count", "text"), rows, (1,))


def _examples(profile: DataProfile) -> str:
    return _table("The most popular items", ("title", "text"), ((_safe(title), _safe(text)) for title, text in profile.examples))
