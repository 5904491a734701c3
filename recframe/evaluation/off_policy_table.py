"""The table of off-policy estimates for the terminal and in Markdown. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recframe.evaluation.off_policy.uninformed import says_nothing

TITLE = "Reward of a decision, estimated from decisions that another policy logged"
SESSIONS_TITLE = "Return of a session, estimated from them"
HEADINGS = ("policy", "estimate", "95 % interval", "estimator", "effective\nnumber")
LOGGING_POLICY = "logging policy"
LOGGED_MEAN = "mean of the log"
NOTHING = "—"


def off_policy_tables(entry: Mapping[str, Any]) -> list[Table | Text]:
    """The tables of the entry `off_policy` of result.json, of decisions and of sessions, after their caveats."""
    if sessions := entry.get("sessions"):
        alone = {name: part for name, part in entry.items() if name != "sessions"}
        return [*off_policy_tables(alone), *_with_notes(sessions, SESSIONS_TITLE)]
    return _with_notes(entry, TITLE)


def _with_notes(entry: Mapping[str, Any], title: str) -> list[Table | Text]:
    table = Table(title=title, caption=_caption(entry), caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("policy", "estimator") else "right")
    for row in _rows(entry):
        table.add_row(*map(escape, row), style="bold" if row[0] == "trained" else None)
    return [*(Text(f"Note: {caveat}", style="bold yellow") for caveat in entry["caveats"]), table]


def off_policy_markdown(entry: Mapping[str, Any]) -> str:
    """The same as GitHub-flavoured Markdown, ending in a newline."""
    if sessions := entry.get("sessions"):
        alone = {name: part for name, part in entry.items() if name != "sessions"}
        return f"{off_policy_markdown(alone)}\n{SESSIONS_TITLE}:\n\n{off_policy_markdown(sessions)}"
    notes = [f"**Note: {caveat}**\n" for caveat in entry["caveats"]]
    lines = [
        "| " + " | ".join(HEADINGS).replace("\n", " ") + " |",
        "|---|---:|---:|---|---:|",
        *("| " + " | ".join(row) + " |" for row in _rows(entry)),
    ]
    return "\n".join([*notes, *lines]) + f"\n\n{_caption(entry)}\n"


def _rows(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The trained policy first, then the policy that logged, whose value is the mean of its rewards, and then the references.

    An estimate that nothing in the log is about is not shown: it would be a number without a meaning.
    """
    policies = entry["policies"]
    names = [name for name in ("trained", "logging") if name in policies]
    names += [name for name in policies if name not in names]
    rows: list[tuple[str, ...]] = []
    for name in names:
        value = policies[name]["value" if "value" in policies[name] else "return"]
        about = entry["diagnostics"].get(name)
        how = entry["chosen"].get(name, LOGGED_MEAN)
        size = "" if about is None else f"{about['effective_rows']:,.0f}"
        shown = LOGGING_POLICY if name == "logging" else name
        hidden = about is not None and says_nothing(how, about["effective_rows"])
        mean, low, high = (NOTHING if hidden else _number(value[key]) for key in ("mean", "low", "high"))
        rows.append((shown, mean, NOTHING if NOTHING in (low, high) else f"[{low}, {high}]", how, size))
    return rows


def _number(value: float | None) -> str:
    return NOTHING if value is None or isnan(value) else f"{value:.4g}"


def _caption(entry: Mapping[str, Any]) -> str:
    about = entry["evaluation"]
    number = f"{about['sessions']:,} held-out sessions of" if "sessions" in about else f"{about['decisions']:,} held-out decisions about"
    people = "1 person" if about["people"] == 1 else f"{about['people']:,} people"
    ranges = [f", {name} from {_number(about[name][0])} to {_number(about[name][1])}" for name in ("rewards", "returns") if name in about]
    return f"{number} {people}{''.join(ranges)}; each policy shows the first item of its ranking"
