"""`recframe feedback`: what a server has stored."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console
from recframe.feedback.list_ages import DAY, LEAST_DAYS

app = typer.Typer(no_args_is_help=True, help="The decisions and the feedback that a server has stored.", rich_markup_mode=None)


@app.callback()
def _feedback() -> None:
    """The decisions and the feedback that a server has stored."""


@app.command()
def export(
    url: Annotated[str, typer.Argument(help="The store, such as sqlite:///feedback.db or postgresql://user@host/name.")],
    file: Annotated[Path, typer.Argument(help="The new file, which ends with .csv or .parquet.")],
    since: Annotated[float | None, typer.Option(help="Leave out decisions before this time, in seconds since 1970.")] = None,
) -> None:
    """Write the stored decisions, with what came of them, as a log that dataset=bandit_log reads."""
    with user_errors_as_messages():
        from recframe.feedback.opened import open_existing

        with open_existing(url) as store:
            from recframe.feedback.export import export_log

            rows = export_log(store, file.expanduser(), since)
        told = f"{file}: {rows:,} shown items; train on it with dataset=bandit_log dataset.interactions={file}"
        output_console().print(told, highlight=False, soft_wrap=True)


@app.command("remove-lists")
def remove_lists(
    url: Annotated[str, typer.Argument(help="The store, such as sqlite:///feedback.db or postgresql://user@host/name.")],
    days: Annotated[float, typer.Option(min=LEAST_DAYS, help="Keep the lists of decisions of so many days, an hour at least.")] = 30.0,
) -> None:
    """Remove the lists of ids that requests brought, such as candidates, and that no recent decision had. A server does this itself."""
    with user_errors_as_messages():
        from recframe.feedback.opened import open_existing

        with open_existing(url) as store:
            removed = store.remove_lists(time.time() - DAY * days)
        output_console().print(f"{removed:,} lists are removed", highlight=False, soft_wrap=True)
