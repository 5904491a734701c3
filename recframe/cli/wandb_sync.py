"""`recframe wandb-sync`: send the offline W&B runs of a folder by W&B's own command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.errors import UserError


def wandb_sync(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, of a sweep, or of several.")],
    again: Annotated[bool, typer.Option("--again", help="Send runs again that were sent before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be sent.")] = False,
) -> None:
    """Send all offline W&B runs in a folder to W&B's server, by `wandb sync`. Runs that are going on are left out."""
    with user_errors_as_messages():
        status = sync(folder, again, dry_run)
    raise typer.Exit(status)


def sync(folder: Path, again: bool, dry_run: bool) -> int:
    """Call `wandb sync` for the offline runs below `folder`, and return its exit status.

    Raises
    ------
    UserError: there is no such folder, or no offline run in it; or W&B is not installed.
    """
    from recframe.tracking.wandb_files import is_running, is_sent, offline_runs

    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found = list(offline_runs(folder))
    if not found:
        raise UserError(f"{folder}: no offline run of W&B is in it; runs record one with logger=[csv,wandb]")
    running = [run for run in found if is_running(run)]
    sent = [] if again else [run for run in found if is_sent(run)]
    to_send = [run for run in found if run not in running and run not in sent]
    for run in running:
        print(f"{run.parent.parent}: is going on, and is left out", file=sys.stderr)
    if sent:
        print(f"{len(sent)} of {len(found)} runs were sent before; --again sends them again")
    if not to_send:
        return 0
    options = [*(["--include-synced"] if again else []), *(["--dry-run"] if dry_run else [])]
    command = [sys.executable, "-m", "wandb", "sync", *options, *(str(run) for run in to_send)]
    try:
        import wandb  # noqa: F401  # only to say that it is missing
    except ImportError:
        raise UserError("wandb cannot be imported: run `pip install wandb`") from None
    return subprocess.run(command, check=False).returncode  # noqa: S603  # paths that were found, without a shell
