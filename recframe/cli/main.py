"""The command `recframe`: its subcommands, those of plugins, and tab completion. Nothing heavy is imported until a run starts.

`recframe train` and `recframe pretrain` are Hydra apps. All arguments after the subcommand are Hydra's, so `-m`, `--cfg`,
`--config-dir` and tab completion work as in other Hydra programs.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recframe import __version__
from recframe.cli import bench, data, feedback, plugins, pretrain, train
from recframe.cli.codes import codes
from recframe.cli.completion import asked_shell, complete
from recframe.cli.evaluate import evaluate
from recframe.cli.export import export
from recframe.cli.hub import pull, push
from recframe.cli.hydra_app import HYDRA_ARGUMENTS
from recframe.cli.learn import learn
from recframe.cli.plugin_commands import add_plugin_commands, command_names, warn_of_refused_command
from recframe.cli.recommend import recommend
from recframe.cli.report import report
from recframe.cli.runs import clean, compare_folders, runs
from recframe.cli.serve import serve
from recframe.cli.wandb_sync import wandb_sync
from recframe.console import output_was_lost, protect_output


class RootGroup(TyperGroup):
    """A group whose `--help` is false where it is not given, and not None, which typer imports pydantic to check."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option, if there is one."""
        option = super().get_help_option(ctx)
        if option is not None and option.default is None:
            option.default = False
        return option


app = typer.Typer(
    name="recframe", cls=RootGroup, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command(context_settings=HYDRA_ARGUMENTS, help=train.SUMMARY)(train.train)
app.command(context_settings=HYDRA_ARGUMENTS, help=pretrain.SUMMARY)(pretrain.pretrain)
app.command()(codes)
app.command()(evaluate)
app.command()(report)
app.command()(runs)
app.command("compare")(compare_folders)
app.command()(clean)
app.command("wandb-sync")(wandb_sync)
app.command()(export)
app.command()(recommend)
app.command()(push)
app.command()(pull)
app.command()(serve)
app.command()(learn)
app.add_typer(plugins.app, name="plugins")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.add_typer(feedback.app, name="feedback")
HYDRA_COMMANDS = ("train", "pretrain")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"recframe {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Recommenders that read text and decide over time."""


def main() -> None:
    """Entry point of the command `recframe`.

    A finished run is a success even if its tables cannot be printed. A command that only prints fails then, unless the reader of a pipe
    wanted no more.
    """
    protect_output()
    command = sys.argv[1:2]  # Hydra replaces the arguments
    try:
        _run()
    except SystemExit as end:
        if not end.code and output_was_lost() and command not in ([name] for name in HYDRA_COMMANDS):
            sys.exit(1)
        raise


def _run() -> None:
    add_plugin_commands(app)
    warn_of_refused_command(sys.argv[1:])
    if (shell := asked_shell(sys.argv[1:])) is not None:
        complete(shell, list(command_names(app)), HYDRA_COMMANDS, app)
    else:
        app()


if __name__ == "__main__":
    main()
