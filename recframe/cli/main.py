"""The command `recframe`: its subcommands, those of plugins, and tab completion. Nothing heavy is imported until a run starts.

`recframe train` and `recframe pretrain` are Hydra apps. All arguments after the subcommand are Hydra's, so `-m`, `--cfg`,
`--config-dir` and tab completion work as in other Hydra programs.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from recframe import __version__
from recframe.cli import plugins, pretrain, train
from recframe.cli.completion import asked_shell, complete
from recframe.cli.evaluate import evaluate
from recframe.cli.hydra_app import HYDRA_ARGUMENTS
from recframe.cli.report import report
from recframe.console import output_was_lost, protect_output
from recframe.plugin_loader import PluginFailure, raised, registry

app = typer.Typer(name="recframe", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command(context_settings=HYDRA_ARGUMENTS, help=train.SUMMARY)(train.train)
app.command(context_settings=HYDRA_ARGUMENTS, help=pretrain.SUMMARY)(pretrain.pretrain)
app.command()(evaluate)
app.command()(report)
app.add_typer(plugins.app, name="plugins")
HYDRA_COMMANDS = ("train", "pretrain")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"recframe {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Recommenders that read text and decide over time."""


def _add_plugin_commands() -> None:
    """Let each plugin add its commands. If one fails, all of its commands are removed and the failure is recorded."""
    found = registry()
    for plugin, distribution, add in found.callers("recframe_register_commands"):
        commands, groups = list(app.registered_commands), list(app.registered_groups)
        try:
            add(app=app)
            typer.main.get_command(app)  # typer looks at the parameters of commands only here
        except (Exception, SystemExit) as error:
            app.registered_commands, app.registered_groups = commands, groups
            failure = PluginFailure(plugin, distribution, raised(error), "Report it to its authors", part="every command of plugin")
            found.failures.append(failure)


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
    _add_plugin_commands()
    if (shell := asked_shell(sys.argv[1:])) is not None:
        names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
        complete(shell, [*names, "plugins"], HYDRA_COMMANDS, app)
    else:
        app()


if __name__ == "__main__":
    main()
