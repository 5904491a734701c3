"""The report of a run: report.md in its folder, and the same tables in the terminal."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from recframe.console import output_console
from recframe.evaluation.results import Metrics
from recframe.evaluation.simulated.samples import Recommendation
from recframe.evaluation.table import COLD_TITLE, DECILE, calibration_markdown, result_tables, results_markdown, samples_table
from recframe.runner.results import RunResult

log = logging.getLogger(__name__)

SAMPLES_TITLE = "What the trained policy recommends"


def report_markdown(
    policies: Mapping[str, Metrics],
    cold: Mapping[str, Metrics] | None,
    samples: Sequence[Recommendation],
    measured: Mapping[str, float],
    caveats: Sequence[str] = (),
) -> str:
    """The text of report.md.

    Parameters
    ----------
    policies, cold, samples: as in `FinalEvaluation`.
    measured: figures about the environment and the labels, from before training.    caveats: as in `RunResult`.
    """
    lines = ["# Results", "", *(f"**Note: {caveat}**\n" for caveat in caveats), results_markdown(policies)]
    if cold is not None:
        lines += [f"## {COLD_TITLE}", "", results_markdown(cold)]
    if measured:
        lines += ["## Measured before training", "", *measured_lines(measured), "", calibration_markdown(measured)]
    if samples:
        lines += [f"## {SAMPLES_TITLE}", ""]
    for sample in samples:
        before, shown = "; ".join(sample.history[-3:]) or "nothing yet", "; ".join(sample.recommended)
        lines.append(f"- user {sample.user}, turn {sample.turn}, after {before}: **{shown}** (reward {sample.reward:.3g})")
    return "\n".join(lines) + "\n"


def measured_lines(measured: Mapping[str, float]) -> list[str]:
    """A list entry for each measure that is not in a table of calibration."""
    return [f"- {name}: {value:.4g}" for name, value in measured.items() if DECILE not in name]


def log_measured(measured: Mapping[str, float]) -> None:
    """Log measures from before training, and tables of calibration as tables."""
    for line in measured_lines(measured):
        log.info("%s", line.removeprefix("- "))
    if table := calibration_markdown(measured):
        log.info("predicted against observed, by tenths of the predictions\n%s", table.rstrip())


def print_report(result: RunResult, samples: Sequence[Recommendation]) -> None:
    """Print the tables of a finished run, and where its files are."""
    console = output_console()
    if samples:
        console.print(samples_table(samples, title=SAMPLES_TITLE))
    cold = {} if result.cold is None else {"cold_items": {"policies": result.cold}}
    console.print(*result_tables({"policies": result.policies, "caveats": result.caveats, **cold}, title="Results"))
    line = f"{result.env_steps:,} env steps, {result.seconds:.0f} s; everything is in {result.folder}"
    console.print(line, highlight=False, soft_wrap=True)
    console.file.flush()
    if (failure := getattr(console.file, "failure", None)) is not None:
        log.warning("the tables could not be printed (%s); they are in %s", failure, result.folder / "report.md")
