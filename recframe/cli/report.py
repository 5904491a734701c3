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
) -> None:
    """Summarize many runs: one row for each setting and policy, averaged over seeds with 95 % intervals."""
    with user_errors_as_messages():
        from recframe import sweeps

        if markdown:
            print(sweeps.sweep_markdown(folder))
        else:
            output_console().print(sweeps.sweep_table(folder))
