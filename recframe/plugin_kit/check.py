"""The check of a whole plugin: its files here, and what it does when it is loaded in a process of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_kit.processes import fresh_process, last_words
from recframe.plugin_kit.project import Project
from recframe.plugin_kit.subjects import Subject
from recframe.plugin_kit.wheel_files import wheel_findings

PROCESS = "recframe.cli.check_process"
"""The module that checks a distribution, and writes its findings into a file."""


def check_plugin(subject: Subject) -> list[Finding]:
    """Everything that is right and wrong about a plugin, as it is installed or as its folder would be installed."""
    findings: list[Finding] = []
    project = subject.project
    if project is not None:
        findings += project.findings()
        findings += wheel_findings(project)
        if not project.entry_points:
            return findings
        if subject.installed:
            findings += _outdated(project)
    with tempfile.TemporaryDirectory() as scratch:
        paths: list[Path] = []
        if project is not None and not subject.installed:
            project.write_metadata(Path(scratch))
            paths = [Path(scratch), *project.paths]
        findings += _in_process(subject.name, Path(scratch) / "findings.json", paths)
    return findings


def _in_process(name: str, output: Path, paths: list[Path]) -> list[Finding]:
    done = fresh_process(PROCESS, [name, str(output)], paths)
    if not output.is_file():
        return [Finding(Status.FAILED, "process", name, f"the plugin ended the process that checks it: {last_words(done)}")]
    found = [Finding(**(entry | {"status": Status(entry["status"])})) for entry in json.loads(output.read_text("utf-8"))]
    if done.returncode:
        found.append(Finding(Status.FAILED, "process", name, f"the plugin ended the process that checks it: {last_words(done)}"))
    return found


def _outdated(project: Project) -> Iterator[Finding]:
    """Entry points that pyproject.toml has got since the project was installed."""
    installed = {(point.name, point.value) for point in distribution(project.name).entry_points.select(group=ENTRY_POINT_GROUP)}
    if installed != set(project.entry_points.items()):
        message = "its entry points have changed since it was installed: pip install -e . again"
        yield Finding(Status.FAILED, "project", "pyproject.toml", message)
