"""The check of a plugin's YAML files: each preset and each experiment composes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from recframe.components import Kind
from recframe.config import TRAIN, App, find_mistakes
from recframe.config.app import Composed
from recframe.config.checks.sections import check_section, section_at
from recframe.config.compose.overrides import LIST_GROUPS
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_loader import BUILT_IN, ConfigFolder, Registry, closest

REQUIRED = re.compile(r"(?:^|: )([\w.]+) is required: ")
"""A problem that is none of a file: whoever uses it has to give the setting."""


def folders_of(distribution: str, found: Registry) -> list[ConfigFolder]:
    """The config folders of a distribution that are used."""
    return [folder for folder in found.config_folders if folder.distribution == distribution]


def config_findings(distribution: str, found: Registry) -> Iterator[Finding]:
    """A finding for each preset and experiment of a distribution, and for a folder that has none."""
    for folder in folders_of(distribution, found):
        if not folder.files:
            message = f"there is no YAML file in {folder.address}: add one, or leave out recframe_config_paths"
            yield Finding(Status.FAILED, "configs", folder.plugin, message)
        for group, name in sorted(folder.files):
            yield config_finding(group, name)


def config_finding(group: str, name: str) -> Finding:
    """Whether one YAML file can be used, by its group ("experiment", "agent"; "" for a primary config) and name."""
    check = "experiment" if group == "experiment" else "preset"
    subject = name if group in ("", "experiment") else f"{group}={name}"
    known = {of_group for of_group, _ in BUILT_IN.files if of_group} | {*Kind, *LIST_GROUPS}
    if group.partition("/")[0] not in {*known, "", "hydra"}:
        meant = closest(group, sorted(known))
        question = f"; did you mean {meant!r}?" if meant else ""
        return Finding(Status.NOTE, check, subject, f"recframe has no config group {group!r}: only a file that names it reads it{question}")
    if "/" in group:
        return Finding(Status.NOTE, check, subject, "in a folder of its group: checked with the files that name it")
    problems = config_problems(group, name)
    wrong = [line for line in problems if not REQUIRED.search(line)]
    if wrong:
        return Finding(Status.FAILED, check, subject, "; ".join(wrong))
    needed = [found[1] for line in problems if (found := REQUIRED.search(line))]
    return Finding(Status.OK, check, subject, f"composes{'; whoever uses it gives ' + ', '.join(needed) if needed else ''}")


def config_problems(group: str, name: str) -> Sequence[str]:
    """One line for each mistake in a YAML file.

    A preset of a component is checked by itself: whether it goes with the default components is no matter of the file.
    """
    if group == "":
        return find_mistakes([], config_name=name)
    if group in LIST_GROUPS:
        return find_mistakes([f"{group}=[{name}]"])
    return find_mistakes([f"{group}={name}"], app=_section_alone(group) if group in list(Kind) else TRAIN)


def _section_alone(kind: str) -> App:
    """`recframe train` as far as it concerns the section of one kind."""

    def rules(composed: Composed, key: str) -> list[str]:
        return check_section(key, composed.components[key], section_at(composed.values, key)) if key == kind else []

    return dataclasses.replace(TRAIN, rules=lambda composed: [], section_rules=rules)
