"""`recframe runs`, `recframe compare` and `recframe clean`: commands on runs that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console
from recframe.errors import UserError

STATES = "finished, running, stopped, failed, pruned, 'not started', damaged"


def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of runs; by default runs and multirun.", metavar="[FOLDER]...")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only runs in this state: {STATES}. May be given several times.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Only runs with this setting, such as agent=ppo. May be given several times.")
    ] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="age, objective, state or name [default: the order of folders].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs: their state, the time since their last change, objective, seed and name."""
    with user_errors_as_messages():
        from recframe.reports.cells import block
        from recframe.reports.listing import HEADER, SORTS, list_runs
        from recframe.reports.states import State

        if unknown := [name for name in state or () if name not in list(State)]:
            raise UserError(f"--state {unknown[0]}: must be one of {', '.join(State)}")
        if sort is not None and sort not in SORTS:
            raise UserError(f"--sort {sort}: must be one of {', '.join(SORTS)}")
        listed = list_runs(folders or [], [State(name) for name in state or ()], where or (), sort)
        if as_json:
            print(json.dumps([run.entries() for run in listed], indent=2))
            return
        console = output_console()
        console.print(block(HEADER, [run.cells() for run in listed], labels=3))
        for run in listed:
            if run.state is State.FAILED:
                console.print(f"{run.run}: {run.reason}", markup=False, highlight=False, soft_wrap=True)


def compare_folders(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="The folder of a finished run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="The folder of another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two runs: the settings in which they differ, and their trained policies' metrics, paired person by person."""
    with user_errors_as_messages():
        from recframe.reports import compare_runs
        from recframe.reports.cells import block

        found = compare_runs(first, second)
        if as_json:
            print(json.dumps(found.entries(), indent=2))
            return
        console = output_console()
        for title, pairs in (("setting", found.settings), ("version", found.about)):
            console.print(_pairs(title, pairs) if pairs else f"{title}s: the same", markup=False, highlight=False)
        console.print(block(("metric", "A", "B", "A - B", "p"), [metric.cells() for metric in found.metrics], labels=1))
        paired = "A - B is paired, with a 95 % interval over the people that both met; another seed may differ by more"
        unpaired = (
            "no intervals: the runs met different people (another environment, evaluation.seed, evaluation.people or data), "
            "or have no record of them"
        )
        console.print(paired if found.is_paired else unpaired, highlight=False)
        if told := found.directions.told([metric.metric for metric in found.metrics]):
            console.print(told, markup=False, highlight=False)


def _pairs(title: str, pairs: Mapping[str, tuple[str | None, str | None]]) -> object:
    from recframe.reports.cells import block

    rows = [[key, *("-" if value is None else value for value in pair)] for key, pair in pairs.items()]
    return block((title, "A", "B"), rows, labels=3)


def clean(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs, which are compared together.", metavar="FOLDER...")],
    keep: Annotated[int, typer.Option("--keep", help="How many of the best runs keep their checkpoints.", min=1)] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; otherwise it is only said what would be removed.")] = False,
) -> None:
    """Remove the checkpoints of finished runs that are not the best by their objective. Results stay, and so do unfinished runs.

    A run without checkpoints can no longer be evaluated or loaded.
    """
    with user_errors_as_messages():
        from recframe.reports import plan_cleaning

        plan = plan_cleaning(folders, keep)
        if plan.best:
            print(f"kept: {', '.join(plan.best)}, the best by objective")
        for name, reason in plan.left.items():
            print(f"kept: {name}: {reason}")
        if not plan.removals:
            print("nothing to remove")
            return
        if not yes:
            for removal in plan.removals:
                print(f"would remove {removal.folder / 'checkpoints'}, {_megabytes(removal.size)} (objective {removal.objective:.4g})")
            print(f"{_megabytes(plan.size)} of {len(plan.removals)} runs; remove them with --yes")
            return
        freed, failed = 0, 0
        for removal, problem in plan.remove():
            if problem is None:
                freed += removal.size
                print(f"removed {removal.folder / 'checkpoints'}, {_megabytes(removal.size)}")
            else:
                failed += 1
                print(f"kept: {removal.run}: {problem}")
        print(f"{_megabytes(freed)} are free")
        if failed:
            raise UserError(f"the checkpoints of {failed} of {len(plan.removals)} runs could not be removed")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
