"""`recframe plugins new` and `recframe plugins check`: a plugin from the template, and what is right and wrong about one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from recframe.cli.error_messages import user_errors_as_messages
from recframe.components import Kind
from recframe.console import output_console
from recframe.errors import UserError

if TYPE_CHECKING:
    from recframe.plugin_kit.findings import Finding
    from recframe.plugin_kit.subjects import Subject

ALL = "all"
STYLES = {"ok": "green", "note": "yellow", "FAILED": "bold red"}


def new(
    name: Annotated[str, typer.Argument(help="Name of the new distribution, such as recframe-patience.", show_default=False)],
    kind: Annotated[
        list[str],
        typer.Option(
            "--kind", "-k", help=f"Kind of component: {', '.join(Kind)}; or {ALL}. May be given several times.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write; by default NAME in the current folder.", show_default=False)
    ] = None,
) -> None:
    """Write a new plugin: a package with a component of each kind that installs, is found, and passes its tests."""
    with user_errors_as_messages():
        kinds = _kinds(kind)
        from recframe.plugin_kit.new import new_plugin

        folder = new_plugin(name, kinds, output or Path(name))
        print(f"{folder}: a plugin with {', '.join(kinds)}. Next:\n")
        print(f'  cd {folder}\n  pip install -e ".[test]"\n  pytest\n  recframe plugins check .')


def check(
    what: Annotated[
        str | None, typer.Argument(help="Folder of a plugin's project, or name of an installed distribution.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a plugin: entry points, components, presets, experiments, imports and files. Exits with 1 if a check fails.

    A project need not be installed. Without an argument: the project in the current folder, or else every installed third-party plugin.
    """
    with user_errors_as_messages():
        from recframe.plugin_kit.check import check_plugin
        from recframe.plugin_kit.subjects import subjects

        checked = [(subject, check_plugin(subject)) for subject in subjects(what, Path.cwd())]
        if as_json:
            print(json.dumps([_as_json(subject, findings) for subject, findings in checked], indent=2))
        else:
            for subject, findings in checked:
                _print(subject, findings)
            if not checked:
                print("no third-party plugin is installed, and the current folder is no project of one")
        raise typer.Exit(int(any(finding.status == "FAILED" for _, findings in checked for finding in findings)))


def _kinds(given: list[str]) -> list[Kind]:
    unknown = [name for name in given if name not in (*Kind, ALL)]
    if unknown:
        raise UserError(f"--kind {unknown[0]}: the kinds are {', '.join(Kind)}; or {ALL}")
    return [kind for kind in Kind if ALL in given or kind in given]


def _as_json(subject: Subject, findings: list[Finding]) -> dict[str, object]:
    return {"distribution": subject.name, "version": subject.version, "findings": [finding.as_json() for finding in findings]}


def _print(subject: Subject, findings: list[Finding]) -> None:
    place = "" if subject.project is None else f" ({subject.project.folder})"
    print(f"{subject.name} {subject.version}{place}")
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        status = str(finding.status)
        table.add_row(Text(status, style=STYLES[status]), finding.check, Text(finding.subject), Text(finding.message))
    output_console().print(table)
    failed = sum(finding.status == "FAILED" for finding in findings)
    print(f"{len(findings)} checks, {failed} failed\n")
