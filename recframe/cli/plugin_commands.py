"""The commands that plugins add to `recframe`. Each plugin adds to an app of its own, from which what is free is taken over."""

from __future__ import annotations

import contextlib
import sys

import typer
from typer.models import CommandInfo, TyperInfo

from recframe.plugin_loader import PluginFailure, raised, registry

COMMAND = "command"
"""The kind of name that a command has among the claims of `PluginFailure`."""


def add_plugin_commands(app: typer.Typer) -> None:
    """Let each plugin add its commands. Built-in commands, and those of plugins before it, keep their names.

    If a plugin fails, all of its commands are left out and the failure is recorded.
    """
    found = registry()
    owners = dict.fromkeys(command_names(app), "recframe")
    for plugin, distribution, add in found.callers("recframe_register_commands"):

        def fail(cause: str, fix: str, part: str, name: str | None = None, of: tuple[str, str] = (plugin, distribution)) -> None:
            claim = None if name is None else (COMMAND, name)
            found.failures.append(PluginFailure(*of, cause, fix, f"{part} of plugin", claim))

        own = typer.Typer()
        try:
            # what a plugin prints here must not get into the output of a command
            with contextlib.redirect_stdout(sys.stderr):
                add(app=own)
                names = command_names(own)
        except (Exception, SystemExit) as error:
            fail(raised(error), "Report it to its authors", "every command")
            continue
        if own.registered_callback is not None:
            fail("recframe's own options would be lost", "Put options into commands", "the callback")
        for name, command in names.items():
            if name in owners:
                fail(f"{name!r} is a command of {owners[name]}, which keeps it", "Rename it", f"the command {name!r}", name)
                continue
            owners[name] = f"{distribution} (plugin {plugin!r})"
            if isinstance(command, CommandInfo):
                app.registered_commands.append(command)
            else:
                app.registered_groups.append(command)


def command_names(app: typer.Typer) -> dict[str, CommandInfo | TyperInfo]:
    """The commands and groups of an app by name. Typer looks at the parameters of commands only here, and may raise an error."""
    settings = {"pretty_exceptions_short": True, "rich_markup_mode": None}
    commands = {
        str(typer.main.get_command_from_info(info, **settings).name): info  # type: ignore[arg-type]  # settings of two types
        for info in app.registered_commands
    }
    groups = {
        str(typer.main.get_group_from_info(info, suggest_commands=True, **settings).name): info  # type: ignore[arg-type]
        for info in app.registered_groups
    }
    return {**commands, **groups}


def warn_of_refused_command(arguments: list[str]) -> None:
    """Say it on standard error if another plugin claimed the name of the command that is called."""
    for failure in registry().refused_claims(COMMAND, arguments[0]) if arguments else []:
        print(f"recframe: warning: {failure}", file=sys.stderr)
