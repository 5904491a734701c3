"""`recframe bench`: list the benchmark tasks, run one, and make a table of the results of many people."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import log_to
from recframe.console import output_console

if TYPE_CHECKING:
    from recframe.bench import BenchTask

app = typer.Typer(no_args_is_help=True, help="Benchmark tasks, whose results compare.", rich_markup_mode=None)
LONGEST_NAME = 60


@app.command("list")
def list_tasks() -> None:
    """List the tasks: name, version, metric, number of seeds, and what they are about."""
    with user_errors_as_messages():
        from rich.table import Table

        from recframe.bench import tasks

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("name", "version", "metric", "seeds", "about"):
            table.add_column(column)
        for task in tasks().values():
            table.add_row(task.name, str(task.version), task.metric, str(len(task.seeds)), task.about)
        output_console().print(table)


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    name: Annotated[str, typer.Argument(help="A task of `recframe bench list`.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Your agent and its settings, as for recframe train.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the runs go [default: bench/TASK/SETTINGS]; one that exists goes on.")] = None,
) -> None:
    """Run a task with your agent over its seeds, and write the results into one file, bench.json."""
    own = settings or []
    with user_errors_as_messages():
        from recframe.bench import find_task

        task = find_task(name)
        place = folder or Path("bench") / f"{task.name}-v{task.version}" / _named(own)
        _refuse_mistakes(task, own)
        from recframe.bench.run import run_task

        log_to(sys.stdout)
        print(f"results: {run_task(task, own, place)}")


@app.command("table")
def print_leaderboard(
    files: Annotated[list[Path], typer.Argument(help="Files of results (bench.json), or folders with one.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Print one table of the results of many people, the best first."""
    with user_errors_as_messages():
        from recframe import bench

        named = [file / "bench.json" if file.is_dir() else file for file in files]
        if markdown:
            print(bench.leaderboard_markdown(named))
        else:
            output_console().print(bench.leaderboard(named))


def _refuse_mistakes(task: BenchTask, own: list[str]) -> None:
    """Raise the mistakes in the settings before anything heavy is imported, or written."""
    import tempfile

    from recframe.bench.settings import compose_runs

    if not task.log:
        compose_runs(task, own, None)
        return
    # settings are checked with a log in place of the task's, which takes its time to generate
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        log.write_text("person item item\n", encoding="utf-8")
        compose_runs(task, own, log)


def _named(own: list[str]) -> str:
    """The name of a folder for settings."""
    text = re.sub(r"[^\w.,\-]+", "_", " ".join(own)) or "start"
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
