"""Writes report.html."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from recframe import __version__
from recframe.reports.caveats import counted_caveats, noted
from recframe.reports.comparison import ORACLE
from recframe.reports.page.figures import Figures
from recframe.reports.page.html import html_text, json_element, paragraph
from recframe.reports.page.material import Material, material_of
from recframe.reports.page.script import packed_script
from recframe.reports.page.sections.results import (
    comparison_section,
    cost_section,
    curves_section,
    drawn_styles,
    results_section,
    rewards_section,
    settings_section,
    tradeoffs_section,
)
from recframe.reports.page.sections.runs import (
    provenance_section,
    recommendations_section,
    runs_section,
    unfinished_section,
    varied_section,
)
from recframe.reports.runs import Folders, Sweep, find_runs
from recframe.reports.states import State
from recframe.tracking.atomic import atomic_write

log = logging.getLogger(__name__)

PAGE_NAME = "report.html"
MAX_CAVEATS = 5
MARK = '<meta name="generator" content="recframe report">'
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def write_page(folders: Folders, path: str | Path | None = None) -> Path:
    """Write the page on the runs in and below a folder, or several, finished or not, and return its path.

    Parameters
    ----------
    path: of the page; None: `report.html` in the folder, or where one stands if there are several.

    Raises
    ------
    SweepError: if no run was found.     WriteError: if the page cannot be written.
    """
    sweep = find_runs(folders)
    written = page_path(sweep, path)
    atomic_write(written, runs_page(sweep))
    return written


def page_path(sweep: Sweep, path: str | Path | None) -> Path:
    """Where the page on some runs is written: in their folder, or where one stands if there are several, unless a path is given."""
    if path is not None:
        return Path(path)
    return sweep.folders[0] / PAGE_NAME if len(sweep.folders) == 1 else Path(PAGE_NAME)


def try_to_write_page(folders: Folders) -> Path | None:
    """Write the page and return its path, or log a warning: a page must not cost a result."""
    started = time.process_time()
    try:
        path = write_page(folders)
    except Exception as error:
        log.warning("%s was not written (%s: %s)", PAGE_NAME, type(error).__name__, " ".join(str(error).split()))
        log.debug("the error", exc_info=True)
    else:
        log.debug("%s was written in %.2f CPU seconds", path, time.process_time() - started)
        return path
    return None


def runs_page(sweep: Sweep, reload: int | None = None, made: datetime | None = None) -> str:
    """The HTML of the page: one file that asks for nothing from the network.

    reload: after how many seconds it loads itself again, for one that is written again and again; None: never.     made: when.
    """
    material = material_of(sweep)
    figures = Figures(drawn_styles(material), material.directions)
    sections = [
        varied_section(material),
        results_section(material, figures),
        unfinished_section(material),
        comparison_section(material, figures),
        curves_section(material, figures),
        tradeoffs_section(material, figures),
        settings_section(material, figures),
        rewards_section(material, figures),
        cost_section(material, figures),
        recommendations_section(material),
        runs_section(material),
        provenance_section(material),
    ]
    made = made or datetime.now(UTC)
    title = html_text(sweep.title)
    return "\n".join(
        (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{_file('page.css')}</style>\n</head>",
            f'<body data-reload="{reload or ""}">\n<h1>{title}</h1>',
            f'<p class="made">made <time id="made" datetime="{made:%Y-%m-%dT%H:%M:%SZ}">{made:%Y-%m-%d %H:%M:%S} UTC</time>'
            f'<span id="age"></span> by recframe {html_text(__version__)} report</p>',
            _summary(material),
            _contents(sections),
            *sections,
            json_element("charts", figures.data()),
            f'<script type="text/plain" id="vega">{packed_script() if figures.charts else ""}</script>',
            f"<script>{_file('page.js')}</script>\n</body>\n</html>\n",
        )
    )


def _summary(material: Material) -> str:
    states = Counter({State.FINISHED: len(material.sweep.runs)}) + Counter(run.state for run in material.sweep.unfinished)
    total = sum(states.values())
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    caveats = [noted(*caveat) for caveat in counted_caveats(material.sweep.runs).items()]
    lines = [paragraph(f"{total} {'run' if total == 1 else 'runs'}: {told}.", "")]
    if total == 1 and material.sweep.runs:
        lines.insert(0, paragraph(str(material.sweep.runs[0].result.get("name") or ""), ""))
    elif material.primary is not None and len(material.trained) > 1:
        # the comparison has the same: no policy without the truth can be as good as the oracle
        reference = next((policy.name for policy in material.policies if not policy.is_trained and policy.policy != ORACLE), None)
        beside = "" if reference is None else f" The best reference, apart from the oracle: {reference}."
        lines.append(
            paragraph(f"The best trained policy by {material.directions.named(material.primary)}: {material.trained[0].name}.{beside}", "")
        )
    if (left_out := len(caveats) - MAX_CAVEATS) > 0:
        caveats[MAX_CAVEATS:] = [f"and {left_out} more, which recframe report prints"]
    return "\n".join([*lines, *(paragraph(caveat, "caveat") for caveat in caveats)])


def _contents(sections: list[str]) -> str:
    links = []
    for text in sections:
        if text:
            identity = text.split('"', 2)[1]
            heading = text.split("<h2>", 1)[1].split("</h2>", 1)[0]
            links.append(f'<a href="#{identity}">{heading}</a>')
    return f'<nav aria-label="contents">{"".join(links)}</nav>'


def _file(name: str) -> str:
    return resources.files("recframe.reports.page").joinpath(name).read_text(encoding="utf-8")
