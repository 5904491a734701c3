"""The report of a run: report.md in its folder, and the same tables in the terminal."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from recframe.console import output_console
from recframe.evaluation.off_policy_table import TITLE as OFF_POLICY_TITLE
from recframe.evaluation.off_policy_table import off_policy_markdown
from recframe.evaluation.people import LOGGED
from recframe.evaluation.ranking.samples import SampleRanking
from recframe.evaluation.simulated.samples import Recommendation
from recframe.evaluation.table import (
    COLD_TITLE,
    DECILE,
    calibration_markdown,
    groups_markdown,
    rankings_table,
    results_markdown,
    results_page,
    samples_table,
)
from recframe.metric_names import metric_at, shown_k
from recframe.runner.results import RunResult
from recframe.tracking.counter import BATCHES, ENV_STEPS, count_in_words

log = logging.getLogger(__name__)

SAMPLES_TITLE = "What the trained policy recommends"


def report_markdown(
    result: Mapping[str, Any], samples: Sequence[Recommendation], measured: Mapping[str, float], rankings: Sequence[SampleRanking] = ()
) -> str:
    """The text of report.md.

    Parameters
    ----------
    result: with the entries `evaluation`, `policies`, `caveats`, `selection`, `cold_items`, `ranking` and `off_policy` of
        result.json.
    samples, rankings: as in `FinalEvaluation`.
    measured: figures about the environment and the labels, from before training.
    """
    caveats = [f"**Note: {caveat}**\n" for caveat in result.get("caveats", ())]
    lines = ["# Results", "", *caveats, results_markdown(result["policies"], result["evaluation"])]
    if "cold_items" in result:
        lines += [f"## {COLD_TITLE}", "", results_markdown(result["cold_items"]["policies"], result["evaluation"])]
    if on_log := result.get("ranking"):
        lines += _ranking_lines(on_log, result["evaluation"])
    if off_policy := result.get("off_policy"):
        lines += [f"## {OFF_POLICY_TITLE}", "", off_policy_markdown(off_policy)]
    if sentence := selection_sentence(result):
        lines += [sentence, ""]
    if measured:
        lines += ["## Measured before training", "", *measured_lines(measured), "", calibration_markdown(measured)]
    if samples or rankings:
        lines += [f"## {SAMPLES_TITLE}", ""]
    for sample in samples:
        before, shown = "; ".join(sample.history[-3:]) or "nothing yet", "; ".join(sample.recommended)
        lines.append(f"- user {sample.user}, turn {sample.turn}, after {before}: **{shown}** (reward {sample.reward:.3g})")
    for ranking in rankings:
        before, first, taken = ("; ".join(titles) or "nothing yet" for titles in (ranking.history[-3:], ranking.recommended, ranking.taken))
        lines.append(f"- user {ranking.user}, after {before}: **{first}**, and took {taken}")
    return "\n".join(lines) + "\n"


def _ranking_lines(ranking: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    """The evaluation on the log, unless it is the main table, and its groups of queries."""
    lines = [] if about["split"] == LOGGED else ["## On the log", "", results_markdown(ranking["policies"], ranking["evaluation"])]
    k = shown_k(ranking["policies"]["trained"], ranking["evaluation"].get("items"))
    if k is not None and ranking["groups"]:
        lines += ["## By groups of queries", "", groups_markdown(ranking["groups"], metric_at("ndcg", k))]
    return lines


def measured_lines(measured: Mapping[str, float]) -> list[str]:
    """A list entry for each measure that is not in a table of calibration."""
    return [f"- {name}: {value:.4g}" for name, value in measured.items() if DECILE not in name]


def log_measured(measured: Mapping[str, float], caveats: Sequence[str]) -> None:
    """Log measures from before training, tables of calibration as tables, and the caveats of the environment as warnings."""
    for line in measured_lines(measured):
        log.info("%s", line.removeprefix("- "))
    if table := calibration_markdown(measured):
        log.info("predicted against observed, by tenths of the predictions\n%s", table.rstrip())
    for caveat in caveats:
        log.warning("%s", caveat)


def selection_sentence(result: Mapping[str, Any]) -> str:
    """How the final weights were chosen, with the value that chose them beside that of the table of its kind; empty without a choice.

    result: with the entries `selection`, `policies` and, of a run that learned from a log, `ranking`, as in result.json.
    """
    selection = result.get("selection")
    if not selection:
        return ""
    # weights that were chosen on the log are compared on the log: with a simulator, the main table has other metrics
    unit, where = (ENV_STEPS, "on training people") if ENV_STEPS in selection else (BATCHES, "on the validation part")
    ranking = result.get("ranking") if unit == BATCHES else None
    trained = (ranking or result)["policies"]["trained"]
    metric, value = selection["metric"], selection["value"]
    if value is None or selection["candidates"] < 2 or metric not in trained:
        return ""
    mean = "" if selection["evaluations"] == 1 else f" (the mean of {selection['evaluations']} evaluations)"
    table = "table's on the log" if ranking and ranking["policies"] != result["policies"] else "table's"
    return (
        f"The weights are those after {count_in_words(selection[unit], unit)}: their {metric} {where}, {value:.4g}{mean}, was the "
        f"best of {selection['candidates']}, which flatters it on average. The {table} is {trained[metric]['mean']:.4g}."
    )


def print_report(result: RunResult, samples: Sequence[Recommendation], rankings: Sequence[SampleRanking] = ()) -> None:
    """Print the tables of a finished run, how its weights were chosen, and where its files are."""
    console = output_console()
    if samples:
        console.print(samples_table(samples, title=SAMPLES_TITLE))
    if rankings:
        console.print(rankings_table(rankings, title=SAMPLES_TITLE))
    entries = result.entries()
    console.print(results_page(entries, title="Results"))
    if sentence := selection_sentence(entries):
        console.print(sentence, highlight=False)
    lengths = [count_in_words(count, unit) for count, unit in ((result.batches, BATCHES), (result.env_steps, ENV_STEPS)) if count]
    line = f"{', '.join([*lengths, f'{result.seconds:.0f} s'])}; everything is in {result.folder}"
    console.print(line, highlight=False, soft_wrap=True)
    console.file.flush()
    if (failure := getattr(console.file, "failure", None)) is not None:
        log.warning("the tables could not be printed (%s); they are in %s", failure, result.folder / "report.md")
