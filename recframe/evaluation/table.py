"""Tables of evaluation results for the terminal and in Markdown.

Imports no torch, so that reports of finished runs start fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isclose, isfinite, log10
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recframe.evaluation.off_policy_table import off_policy_tables
from recframe.evaluation.people import LOGGED, QUERIES, WHOSE, counted
from recframe.evaluation.results import Results
from recframe.metric_names import base_name, has_heading, heading, in_order, metric_at, places_of, shown_k

if TYPE_CHECKING:
    from recframe.evaluation.ranking.samples import SampleRanking
    from recframe.evaluation.simulated.samples import Recommendation

REFERENCES = ("random", "popular", "fixed_slate", "greedy", "posterior_greedy", "oracle", "item_knn", "ease", "content_cosine")
TRAINED = "trained"
HISTORY_SHOWN = 3
DECILE = "/decile_"
# a longer name of a policy leaves no room for the intervals in 80 columns
LONGEST_NAME = 12
# an interval of which one side is this many times the other is not shown as a symmetric one
LOPSIDED = 1.25
# the metrics of rankings that tables show, at one k (`shown_k`); others are in result.json
FOR_ONE_RELEVANT_ITEM = ("hit_rate", "ndcg", "mrr", "coverage", "diversity", "novelty", "gini")
FOR_SEVERAL_RELEVANT_ITEMS = ("ndcg", "precision", "recall", "f1", "map", "coverage", "novelty")
COLD_TITLE = "Only items that were never shown in training may be shown"


def results_page(result: Mapping[str, Any], title: str | None = None) -> Group:
    """What `result_tables` gives, as the terminal shows it: each note has lines of its own, and a blank line is between two tables."""
    lines: list[Table | Text] = []
    for part in result_tables(result, title):
        if lines and isinstance(lines[-1], Table):
            lines.append(Text())
        lines.append(part)
    return Group(*lines)


def result_tables(result: Mapping[str, Any], title: str | None = None) -> list[Table | Text]:
    """The table of a result's policies, and, if items were held back in training, the same table over these items only.

    The environment's caveats come first. `result` has `policies`, and possibly `evaluation` (in the title: whose sessions these are),
    `caveats`, `cold_items`, `ranking` and `off_policy`, as in result.json.
    """
    about = result.get("evaluation")
    whose = None if about is None else WHOSE[about["split"]]
    tables: list[Table | Text] = [Text(f"Note: {caveat}", style="bold yellow") for caveat in result.get("caveats", ())]
    tables.append(results_table(result["policies"], ": ".join(part for part in (title, whose) if part) or None, about))
    if "cold_items" in result:
        tables.append(results_table(result["cold_items"]["policies"], COLD_TITLE, about))
    ranking = result.get("ranking")
    if ranking and about is not None and about["split"] != LOGGED:
        tables.append(results_table(ranking["policies"], WHOSE[LOGGED], ranking["evaluation"]))
    if off_policy := result.get("off_policy"):
        tables += off_policy_tables(off_policy)
    return tables


def results_table(policies: Results, title: str | None = None, about: Mapping[str, Any] | None = None) -> Table:
    """A table with one row per policy, trained ones first: the return with its interval, other metrics with half the interval's width.

    Where an interval reaches clearly further to one side, its ends are shown. Intervals are below their means, and ends below each other,
    so that the table fits a terminal of 80 columns. `about` is the entry `evaluation` of result.json.
    """
    columns = shown_metrics(policies, about)
    table = Table(
        title=title,
        caption=_caption(policies, about),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
    )
    table.add_column("policy", no_wrap=True)
    for metric in columns:
        table.add_column(heading(metric), justify="right")
    names = _ordered(policies)
    for row, name in enumerate(names):
        trained = _is_trained(name, policies)
        last_trained = trained and row + 1 < len(names) and not _is_trained(names[row + 1], policies)
        style = "bold" if trained else None
        cells = [
            Text.assemble(mean, "\n", (reach if metric == "return" else _stacked(reach), "not bold dim"))
            for metric, (mean, reach) in zip(columns, _cells(policies, name, columns), strict=True)
        ]
        table.add_row(escape(_in_two_lines(name)), *cells, style=style, end_section=last_trained)
    return table


def results_markdown(policies: Results, about: Mapping[str, Any] | None = None) -> str:
    """The same table as GitHub-flavoured Markdown, ending in a newline. With `about`, a line above it says what it is about."""
    columns = shown_metrics(policies, about)
    lines = [
        *([] if about is None else [f"{'Queries' if QUERIES[1] in about else 'Sessions'} of {WHOSE[about['split']]}:", ""]),
        "| policy | " + " | ".join(heading(metric).replace("\n", " ") for metric in columns) + " |",
        "|---|" + "---:|" * len(columns),
        *(
            "| " + " | ".join([name.replace("|", "\\|"), *(" ".join(cell).strip() for cell in _cells(policies, name, columns))]) + " |"
            for name in _ordered(policies)
        ),
    ]
    return "\n".join(lines) + f"\n\n{_caption(policies, about)}\n"


def groups_markdown(groups: Mapping[str, Mapping[str, Any]], metric: str) -> str:
    """A table of one metric of each policy by groups of held-out queries, as in the entry `ranking` of result.json."""
    names = _ordered(next(iter(groups.values()))["policies"])
    lines = [f"| {metric} | queries | " + " | ".join(names) + " |", "|---|---:|" + "---:|" * len(names)]
    for group, part in groups.items():
        cells = [_cell(metric, part["policies"][name].get(metric), 3) for name in names]
        about = f"{part['evaluation'][QUERIES[1]]:,}"
        lines.append(f"| {group.replace('_', ' ')} | {about} | " + " | ".join(" ".join(cell).strip() for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def calibration_markdown(measured: Mapping[str, float]) -> str:
    """Tables of predicted against observed responses by tenths of the predictions, of all measures `NAME/decile_1_predicted` and so on."""
    lines = []
    for name in dict.fromkeys(key.partition(DECILE)[0] for key in measured if DECILE in key):
        pairs = [[measured.get(f"{name}{DECILE}{tenth}_{side}") for tenth in range(1, 11)] for side in ("predicted", "observed")]
        lines += [f"| {name} | " + " | ".join(map(str, range(1, 11))) + " |", "|---|" + "---:|" * 10]
        for side, values in zip(("predicted", "observed"), pairs, strict=True):
            lines.append(f"| {side} | " + " | ".join("" if value is None else f"{value:.3g}" for value in values) + " |")
        lines.append("")
    return "\n".join(lines)


def samples_table(rows: Sequence[Recommendation], title: str | None = None) -> Table:
    """Sample recommendations turn by turn: one section per user, with the last titles of the history next to each slate."""
    table = Table(title=title)
    table.add_column("user", no_wrap=True, max_width=16, overflow="ellipsis")
    table.add_column("turn", justify="right")
    table.add_column("shown before", ratio=1, style="dim")
    table.add_column("recommended", ratio=1)
    table.add_column("reward", justify="right")
    for i, row in enumerate(rows):
        first = i == 0 or rows[i - 1].user != row.user or rows[i - 1].turn >= row.turn
        last = i + 1 < len(rows) and (rows[i + 1].user != row.user or rows[i + 1].turn <= row.turn)
        hidden = len(row.history) - HISTORY_SHOWN
        history = ([f"… {hidden} more"] if hidden > 0 else []) + row.history[-HISTORY_SHOWN:]
        cells = [row.user if first else "", str(row.turn), "\n".join(history) or "—", "\n".join(row.recommended), f"{row.reward:.3g}"]
        table.add_row(*map(escape, cells), end_section=last)
    return table


def rankings_table(rows: Sequence[SampleRanking], title: str | None = None) -> Table:
    """Sample rankings: the last titles of the history, those ranked first, and what the user took, marked where it is among them."""
    table = Table(title=title)
    table.add_column("user", no_wrap=True, max_width=16, overflow="ellipsis")
    table.add_column("taken before", ratio=1, style="dim")
    table.add_column("recommended", ratio=1)
    table.add_column("taken", ratio=1)
    for row in rows:
        hidden = len(row.history) - HISTORY_SHOWN
        history = ([f"… {hidden} more"] if hidden > 0 else []) + row.history[-HISTORY_SHOWN:]
        recommended = [f"{name} ✓" if name in row.taken else name for name in row.recommended]
        cells = [row.user, "\n".join(history) or "—", "\n".join(recommended), "\n".join(row.taken[:HISTORY_SHOWN])]
        table.add_row(*map(escape, cells), end_section=True)
    return table


def _in_two_lines(name: str) -> str:
    """A long name broken after its last underscore: rows have two lines anyway."""
    first, underscore, last = name.rpartition("_")
    return f"{first}{underscore}\n{last}" if len(name) > LONGEST_NAME and first else name


def shown_metrics(policies: Results, about: Mapping[str, Any] | None = None) -> list[str]:
    """The metrics that tables show: of rankings, those at one k, as many as fit in 80 columns. `about`: the entry `evaluation`."""
    metrics = [metric for metric in in_order({name for measured in policies.values() for name in measured}) if has_heading(metric)]
    k = shown_k(metrics, (about or {}).get("items"))
    if k is None:
        return metrics
    shown = FOR_ONE_RELEVANT_ITEM if _one_relevant_item(policies, k) else FOR_SEVERAL_RELEVANT_ITEMS
    return [metric for metric in metrics if places_of(metric) is None or (places_of(metric) == k and base_name(metric) in shown)]


def _one_relevant_item(policies: Results, k: int) -> bool:
    """Whether all queries have one relevant item each: then recall is the hit rate, MAP is MRR, and precision and F1 are shares of it."""
    hits, recall = metric_at("hit_rate", k), metric_at("recall", k)
    both = [(metrics[hits]["mean"], metrics[recall]["mean"]) for metrics in policies.values() if {hits, recall} <= set(metrics)]
    return all(isclose(hit, found, abs_tol=1e-9) for hit, found in both)


def _ordered(policies: Results) -> list[str]:
    trained = [name for name in policies if _is_trained(name, policies)]
    known = [name for name in REFERENCES if name in policies]
    return trained + known + [name for name in policies if name not in trained and name not in known]


def _is_trained(name: str, policies: Results) -> bool:
    """Whether a policy was trained. In the table of a run, whatever is beside `trained` is a reference; other tables have runs' names."""
    return name == TRAINED if TRAINED in policies else name not in REFERENCES


def _cells(policies: Results, name: str, columns: Sequence[str]) -> list[tuple[str, str]]:
    return [_cell(metric, policies[name].get(metric), _decimals(policies, metric)) for metric in columns]


def _cell(metric: str, value: Mapping[str, Any] | None, decimals: int) -> tuple[str, str]:
    """The mean, and half the width of its interval, or its ends where that would hide that it is not symmetric."""
    if value is None:
        return "—", ""
    numbers = {key: float("nan") if value[key] is None else value[key] for key in ("mean", "low", "high")}
    mean, low, high = (f"{number:.{decimals}f}" for number in numbers.values())
    if not isfinite(numbers["high"] - numbers["low"]):
        return (mean if isfinite(numbers["mean"]) else "—"), ""
    if metric == "return" or _is_lopsided(numbers["mean"], numbers["low"], numbers["high"], decimals):
        return mean, f"[{low}, {high}]"
    return mean, f"±{(numbers['high'] - numbers['low']) / 2:.{decimals}f}"


def _stacked(reach: str) -> str:
    """An interval in two lines, no wider than half its width is in one: for columns that have no room for `[low, high]`."""
    low, comma, high = reach.strip("[]").partition(", ")
    return f"{low}–\n{high}" if comma else reach  # noqa: RUF001  # the sign for a range


def _is_lopsided(mean: float, low: float, high: float, decimals: int) -> bool:
    """Whether an interval reaches further to one side of its mean than to the other, by more than the numbers shown are rounded."""
    shorter, longer = sorted((mean - low, high - mean))
    return longer > LOPSIDED * shorter and longer - shorter > 10.0**-decimals


def _decimals(policies: Results, metric: str) -> int:
    """The number of decimals that gives the column's largest mean three significant digits. It is the same in all rows."""
    means = [abs(metrics[metric]["mean"]) for metrics in policies.values() if metric in metrics and metrics[metric]["mean"] is not None]
    largest = max((mean for mean in means if isfinite(mean)), default=0.0)
    return min(max(2 - floor(log10(largest)), 0), 6) if largest > 0 else 2


def _caption(policies: Results, about: Mapping[str, Any] | None) -> str:
    """How many people and sessions the table is about, and how far policies look back. Results of earlier releases tell less."""
    if about is not None:
        return f"{counted(about)}; 95 % intervals over people{_looking_back(about)}"
    users = sorted({metrics["return"]["n"] for metrics in policies.values() if "return" in metrics})
    return f"{', '.join(map(str, users))} users; 95 % intervals over users"


def _looking_back(about: Mapping[str, Any]) -> str:
    if "history_length" not in about:
        return ""
    own, others = about["history_length"], about.get("reference_history_length")
    if others is None or others == own:
        return f"; policies read the last {own} items of a session"
    return f"; reference policies read the last {others} items of a session, others the last {own}"
