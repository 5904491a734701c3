"""`recframe plugins`: list the components, and show the settings of one; `new` and `check` are in `plugin_kit`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from recframe.cli import plugin_kit
from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.settings_table import settings_table
from recframe.components import Component, Kind, LoggerComponent, options_of
from recframe.console import error_console, output_console
from recframe.plugin_loader import (
    BUILT_IN,
    OWN_DISTRIBUTION,
    SUPPORTED,
    LoadedPlugin,
    Registered,
    RegisteredLogger,
    UnknownComponent,
    registry,
    suggestion,
)

if TYPE_CHECKING:
    from recframe.config.compose.presets import Preset

app = typer.Typer(invoke_without_command=True, help="List the plugins, show one component's settings, write a plugin, or check one.")


@app.callback()
def plugins(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if a plugin, or a part of one, was left out.")] = False,
) -> None:
    """List the components, loggers, presets and experiments with their distributions, the third-party plugins with the version of the
    interface that they state, and what could not be loaded.
    """
    if context.invoked_subcommand is not None:
        return
    found = registry()
    components, loggers = [_row(one) for one in found.components()], [_row(one) for one in found.loggers()]
    configs = _configs()
    third_party = [plugin for plugin in found.plugins if plugin.distribution != OWN_DISTRIBUTION]
    if as_json:
        failures = [{"plugin": f.plugin, "distribution": f.distribution, "cause": f.cause, "fix": f.fix} for f in found.failures]
        interface = {"oldest": SUPPORTED.oldest, "newest": SUPPORTED.newest}
        loaded = {"plugins": [asdict(plugin) for plugin in third_party], "not_chosen": found.not_chosen}
        offered = {"components": components, "loggers": loggers, "configs": configs}
        print(json.dumps({"interface": interface, **loaded, **offered, "failures": failures}, indent=2))
        raise typer.Exit(int(strict and bool(failures)))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("kind", "name", "distribution", "version"):
        table.add_column(column, no_wrap=True)
    table.add_column("description")
    for row in (*components, *loggers):
        # as text: in markup, the [implicit] of recframe[implicit] would be a style
        table.add_row(*map(Text, row.values()))
    output_console().print(table)
    output_console().print(_configs_table(configs))
    if third_party:
        output_console().print(_plugins_table(third_party))
    if found.choice:
        error_console().print(found.choice, soft_wrap=True)
    for failure in found.failures:
        error_console().print(Text.assemble(("warning: ", "bold red"), str(failure)), soft_wrap=True)
    raise typer.Exit(int(strict and bool(found.failures)))


@app.command()
def show(kind: str, name: str, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every setting of a component or logger: type, default, meaning. Of a preset, also which component it is, and what it sets."""
    with user_errors_as_messages():
        if kind == LoggerComponent.kind:
            return _show_logger(registry().logger(name).component, as_json)
        if kind not in list(Kind):
            raise UnknownComponent(f"{kind!r} is not a kind of component{suggestion(kind, [*Kind, LoggerComponent.kind])}")
        preset = None if name in registry().names(Kind(kind)) else _preset(Kind(kind), name)
        component = registry().get(kind, name) if preset is None else preset.component
        if as_json:
            extra = {} if preset is None else {"preset": name, "sets": preset.settings}
            print(json.dumps(_settings(component) | extra, indent=2))
            return
        if preset is not None:
            changed = " ".join(f"{kind}.{key}={json.dumps(value)}" for key, value in preset.settings.items())
            print(f"{kind}={name} is a preset of {kind}={component.name} with {changed or 'its defaults'}\n")
        prefix = f"reward.{component.name}" if component.kind is Kind.REWARD else kind
        print(f"{kind}={component.name}: {component.description}")
        suiting = "" if preset is not None or component.state_tracker is None else component.state_tracker
        tags = f"provides: {', '.join(sorted(component.provides)) or '-'}    requires: {', '.join(sorted(component.requires)) or '-'}"
        print(tags + (f"    unless you choose another: state_tracker={suiting}" if suiting else "") + "\n")
        output_console().print(settings_table([(prefix, option) for option in options_of(component.config)]))


def _show_logger(logger: LoggerComponent, as_json: bool) -> None:
    if as_json:
        shown = {"kind": logger.kind, "name": logger.name, "description": logger.description, "options": _options(logger.config)}
        print(json.dumps(shown, indent=2))
        return
    print(f"logger=[{logger.name}]: {logger.description}")
    if options := options_of(logger.config):
        output_console().print("", settings_table([(f"logger.{logger.name}", option) for option in options]), sep="\n")


app.command()(plugin_kit.new)
app.command()(plugin_kit.check)


def _preset(kind: Kind, name: str) -> Preset | None:
    from recframe.config.compose.presets import find_preset

    return find_preset(kind, name)


def _plugins_table(plugins: Sequence[LoadedPlugin]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("plugin", "distribution", "version", "interface", "hooks"):
        table.add_column(column, no_wrap=column != "hooks")
    for plugin in plugins:
        hooks = ", ".join(hook.removeprefix("recframe_") for hook in plugin.hooks)
        table.add_row(plugin.plugin, plugin.distribution, plugin.version, str(plugin.interface), hooks)
    return table


def _configs() -> list[dict[str, str]]:
    """The presets and experiments: the YAML files of recframe and of plugins."""
    folders = (BUILT_IN, *registry().config_folders)
    return [
        {"group": group, "name": name, "plugin": folder.plugin, "distribution": folder.distribution}
        for folder in folders
        for group, name in sorted(folder.files)
        if group and not group.startswith("hydra")
    ]


def _configs_table(configs: Sequence[dict[str, str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("configs of", "distribution"):
        table.add_column(column, no_wrap=True)
    table.add_column("names")
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for config in configs:
        names[config["group"], config["distribution"]].append(config["name"])
    for (group, distribution), found in names.items():
        table.add_row(group, distribution, ", ".join(found))
    return table


def _row(registered: Registered | RegisteredLogger) -> dict[str, str]:
    component = registered.component
    return {
        "kind": str(component.kind),
        "name": component.name,
        "distribution": registered.distribution,
        "version": registered.version,
        "description": component.description,
    }


def _settings(component: Component) -> dict[str, object]:
    return {
        "kind": component.kind.value,
        "name": component.name,
        "description": component.description,
        "provides": sorted(component.provides),
        "requires": sorted(component.requires),
        "state_tracker": component.state_tracker,
        "options": _options(component.config),
    }


def _options(config: type) -> list[dict[str, object]]:
    return [
        {"name": option.name, "type": option.type, "default": option.default, "meaning": option.help, "allowed": option.bounds}
        for option in options_of(config)
    ]
