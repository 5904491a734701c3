"""The sections on the runs themselves: what was varied, recommendations, runs without a result, commands, versions and data."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recframe.reports.cells import number
from recframe.reports.page.html import command, folded, html_table, html_text, paragraph, section
from recframe.reports.page.material import Material
from recframe.reports.runs import FoundRun, SweepRun, value_of
from recframe.reports.states import UNFINISHED_ORDER
from recframe.tracking.folder import CONFIG_NAME, DATA_NAME, read_launch_options
from recframe.tracking.machine_record import recorded_threads

SAMPLED_POLICIES = 3
SAMPLE_LINES = 60
OPEN_RUNS = 12
SHOWN_VALUES = 30
SAMPLES_HEADING = "## What the trained policy recommends"
SHOWN_SLATE = re.compile(r"^- user (?P<user>.*?)(?:, turn (?P<turn>\d+))?, after (?P<before>.*?): \*\*(?P<shown>.*)\*\*(?P<rest>.*)$")


def varied_section(material: Material) -> str:
    """The settings that were varied, with the values that were chosen."""
    found: list[FoundRun] = [*material.sweep.runs, *(run for run in material.sweep.unfinished if run.overrides or run.config)]
    rows = []
    for key in material.keys:
        counts = Counter(value_of(run, key) or "-" for run in found)
        values = ", ".join(f"{value} ({count})" for value, count in counts.most_common(SHOWN_VALUES))
        values += f", and {len(counts) - SHOWN_VALUES} more values" if len(counts) > SHOWN_VALUES else ""
        rows.append([f"<code>{html_text(key)}</code>", html_text(values, 1500)])
    seeds = sorted({run.result["seed"] for run in material.sweep.runs})
    if len(seeds) > 1:
        rows.append(["<code>seed</code>", html_text(", ".join(map(str, seeds)))])
    return section("varied", "What was varied", html_table(("setting", "values (runs)"), rows)) if rows else ""


def unfinished_section(material: Material) -> str:
    """The runs without a result, by state, with the reasons."""
    parts = []
    for state in UNFINISHED_ORDER:
        runs = [run for run in material.sweep.unfinished if run.state is state]
        if runs:
            rows = [
                [html_text(run.name), html_text(_given(run)), f'<span class="text">{html_text(run.reason, 600)}</span>'] for run in runs
            ]
            parts.append(f"<h3>{len(runs)} {html_text(state)}</h3>" + html_table(("run", "settings", "why"), rows))
    return section("unfinished", "Runs without a result", *parts)


def _given(run: FoundRun) -> str:
    return ", ".join(f"{key}={value}" for key, value in run.settings.items()) or " ".join(run.overrides) or "-"


def recommendations_section(material: Material) -> str:
    """What the best trained policies recommended, in words, from the reports of their first runs."""
    parts: list[str] = []
    for policy in material.trained:
        folder = next(iter(policy.seeds))
        if len(parts) < SAMPLED_POLICIES and (content := _samples(Path(folder))):
            summary = f"{html_text(policy.name)}, seed {policy.seeds[folder]}"
            parts.append(folded(summary, content, is_open=not parts))
    return section("recommendations", "What the trained policies recommend", *parts)


def _samples(folder: Path) -> str:
    try:
        text = (folder / "report.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    _, found, samples = text.partition(f"{SAMPLES_HEADING}\n")
    lines = [line for line in samples.splitlines() if line.startswith("- ")][:SAMPLE_LINES] if found else []
    matches = [SHOWN_SLATE.match(line) for line in lines]
    if not lines:
        return ""
    if not all(matches):
        return f'<ul class="plain">{"".join(f"<li>{html_text(line[2:])}</li>" for line in lines)}</ul>'
    rows = []
    before = None
    for match in matches:
        if match is None:
            continue
        user = match["user"] if match["user"] != before else ""
        before = match["user"]
        cells = (user, match["turn"] or "", match["before"], match["shown"], match["rest"].strip(" ,()"))
        rows.append([html_text(cells[0]), html_text(cells[1]), *(f'<span class="text">{html_text(cell)}</span>' for cell in cells[2:])])
    return html_table(("user", "turn", "shown before", "recommended", ""), rows, numbers=(1,))


def runs_section(material: Material) -> str:
    """Every finished run, with the command that repeats it."""
    rows = []
    for run in material.sweep.runs:
        objective = run.result["objective"]
        cells = [run.name, material.names[str(run.folder)], str(run.result["seed"]), "-" if objective is None else number(objective)]
        rows.append([*map(html_text, cells), f"{float(run.result['seconds']):,.0f}", repeating(run)])
    if not rows:
        return ""
    content = html_table(("run", "policy", "seed", "objective", "seconds", "command that repeats it"), rows, numbers=(2, 3, 4))
    note = paragraph("The objective is measured on people of training, for choosing between settings; the results above are not.")
    if len(rows) > OPEN_RUNS:
        content = folded(f"{len(rows)} runs", content)
    return section("runs", "Runs and their commands", note, content)


def repeating(run: SweepRun) -> str:
    """The command that repeats a run, as HTML; of a run that was started from Python, where its config is."""
    if not run.choices and not run.overrides:
        return f'<span class="text">started from Python; its settings are in {html_text(run.folder / CONFIG_NAME)}</span>'
    threads = run.result.get("threads") or recorded_threads(run.folder)
    front = f"OMP_NUM_THREADS={threads} " if isinstance(threads, int) else ""
    seed = [] if any(text.startswith("seed=") for text in run.overrides) else [f"seed={run.result['seed']}"]
    return command(f"{front}{shlex.join(['recframe', 'train', *read_launch_options(run.folder), *run.overrides, *seed])}")


def provenance_section(material: Material) -> str:
    """Versions, threads and data of the runs; what is not the same in all of them is marked."""
    versions: dict[str, Counter[str]] = {}
    for run in material.sweep.runs:
        for name, value in _versions(run).items():
            versions.setdefault(str(name), Counter())[str(value)] += 1
    data: dict[str, Counter[str]] = {}
    for run in material.sweep.runs:
        for name, value in _data(run.folder).items():
            data.setdefault(name, Counter())[value] += 1
    total = len(material.sweep.runs)
    parts = [_same(title, found, total) for title, found in (("Versions", versions), ("Data", data)) if found]
    return section("provenance", "Versions and data", *parts)


def _versions(run: SweepRun) -> Mapping[str, Any]:
    threads = run.result.get("threads") or recorded_threads(run.folder)
    return {**run.result["versions"], **({} if threads is None else {"threads": threads})}


def _data(folder: Path) -> dict[str, str]:
    try:
        recorded = json.loads((folder / DATA_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(recorded, dict):
        return {}
    return {name: _fingerprint(value) for name, value in recorded.items() if _fingerprint(value)}


def _fingerprint(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)[:80]
    rows, digest = value.get("rows"), value.get("sha256")
    if rows == 0:
        return ""
    return f"{rows:,} rows, SHA-256 {str(digest)[:12]}" if isinstance(rows, int) else f"SHA-256 {str(digest)[:12]}"


def _same(title: str, found: Mapping[str, Counter[str]], total: int) -> str:
    rows: list[Sequence[str]] = []
    for name, values in found.items():
        (value, count), several = values.most_common(1)[0], len(values) > 1
        if not several and count == total:
            rows.append([html_text(name), html_text(value)])
        else:
            told = "; ".join(f"{value} ({count} {'run' if count == 1 else 'runs'})" for value, count in values.most_common(8))
            rows.append([html_text(name), f'<span class="{"bad" if several else ""}">{html_text(told)}</span>'])
    return f"<h3>{title}</h3>" + html_table(("", ""), rows)
