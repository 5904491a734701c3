"""`recframe report`: summarize many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console


def report(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, such as that of a sweep.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Compare every policy with this one: its name, or settings such as agent=ease.",
            show_default="the best reference",
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="The metric that is compared.", show_default="NDCG or return")] = None,
) -> None:
    """Summarize many runs: one row for each setting and policy, averaged over seeds with 95 % intervals, and compare the policies."""
    with user_errors_as_messages():
        from recframe import reports

        if markdown:
            print(reports.sweep_markdown(folder, against, metric))
        else:
            output_console().print(reports.sweep_table(folder, against, metric))
