"""`recframe report`: summarize many runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console
from recframe.errors import UserError


def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs, such as that of a sweep.", metavar="FOLDER...")],
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
    page: Annotated[
        Path | None,
        typer.Option("--page", help="The file of the page with charts.", show_default="report.html in FOLDER, or here for several"),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write a row for each run and policy into this CSV file.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="The same as a Parquet file.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Write the page again and again while runs go on, and print no table.")] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between two pages of --watch.", min=0.5)] = 5.0,
) -> None:
    """Summarize many runs: one row for each setting and policy, averaged over seeds with 95 % intervals, and compare the policies.

    Also writes report.html: one file with charts of everything that the runs have recorded, which needs no network.
    """
    with user_errors_as_messages():
        from recframe import reports

        if watch:
            given = {"--markdown": markdown, "--against": against, "--metric": metric, "--csv": csv, "--parquet": parquet}
            if useless := [name for name, value in given.items() if value]:
                raise UserError(
                    f"--watch writes the page alone: leave out {', '.join(useless)}, and report once more when the runs are done"
                )
            _tell_page(reports.watch_runs(folders, page, every, print))
            return
        sweep = reports.find_runs(folders)
        if markdown:
            print(reports.sweep_markdown(sweep, against, metric))
        else:
            output_console().print(reports.sweep_table(sweep, against, metric))
        reports.export_tables(sweep, csv, parquet)
        # only a page that was asked for is worth an error: the folder may be somebody else's
        written = reports.try_to_write_page(sweep) if page is None else reports.write_page(sweep, page)
        if written is not None:
            _tell_page(written)


def _tell_page(path: Path) -> None:
    # what is printed to the standard output may be a table for a file
    print(f"page with charts: {path}", file=sys.stderr)
