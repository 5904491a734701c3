"""`recframe plugins`: list the components, and show the settings of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.settings_table import settings_table
from recframe.components import Component, Kind, options_of
from recframe.console import error_console, output_console
from recframe.plugin_loader import Registered, UnknownComponent, registry

app = typer.Typer(invoke_without_command=True, help="List the plugins, or show one component's settings.")


@app.callback()
def plugins(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a plugin, or a part of one, was left out.")] = False,
) -> None:
    """List the components with their distributions, and the plugins that could not be loaded."""
    if context.invoked_subcommand is not None:
        return
    found = registry()
    rows = [_row(registered) for registered in found.components()]
    if as_json:
        failures = [{"plugin": f.plugin, "distribution": f.distribution, "cause": f.cause, "fix": f.fix} for f in found.failures]
        print(json.dumps({"components": rows, "failures": failures}, indent=2))
        raise typer.Exit(int(strict and bool(failures)))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("kind", "name", "distribution", "version"):
        table.add_column(column, no_wrap=True)
    table.add_column("description")
    for row in rows:
        table.add_row(*row.values())
    output_console().print(table)
    for failure in found.failures:
        error_console().print(Text.assemble(("warning: ", "bold red"), str(failure)), soft_wrap=True)
    raise typer.Exit(int(strict and bool(found.failures)))


@app.command()
def show(kind: str, name: str, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every setting of a component: type, default, meaning."""
    with user_errors_as_messages():
        if kind not in list(Kind):
            raise UnknownComponent(f"{kind!r} is not a kind of component. The kinds are: {', '.join(Kind)}")
        component = registry().get(kind, name)
        if as_json:
            print(json.dumps(_settings(component), indent=2))
            return
        prefix = f"reward.{name}" if component.kind is Kind.REWARD else kind
        print(f"{kind}={name}: {component.description}")
        print(f"provides: {', '.join(sorted(component.provides)) or '-'}    requires: {', '.join(sorted(component.requires)) or '-'}\n")
        output_console().print(settings_table([(prefix, option) for option in options_of(component.config)]))


def _row(registered: Registered) -> dict[str, str]:
    component = registered.component
    return {
        "kind": component.kind.value,
        "name": component.name,
        "distribution": registered.distribution,
        "version": registered.version,
        "description": component.description,
    }


def _settings(component: Component) -> Mapping[str, object]:
    return {
        "kind": component.kind.value,
        "name": component.name,
        "description": component.description,
        "provides": sorted(component.provides),
        "requires": sorted(component.requires),
        "options": [
            {"name": option.name, "type": option.type, "default": option.default, "meaning": option.help, "allowed": option.bounds}
            for option in options_of(component.config)
        ],
    }
