"""The tasks: YAML files in conf/bench/."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from recframe.config import ConfigError
from recframe.plugin_loader import suggestion


class TaskError(ConfigError):
    """A task that does not exist, settings that it does not allow, or results that are not of it; with a line for each."""


@dataclass(frozen=True)
class BenchTask:
    """A benchmark task. Changing anything that changes its numbers needs a new version.

    metric: of the trained policy, the larger the better.   seeds: of the runs.
    fixed: overrides of `recframe train` that nobody may change.   start: choices that a participant may replace.
    log: the sizes and the seed of a generated log (see `recframe.bench.generated_log`), if the task learns from one.
    """

    name: str
    version: int
    about: str
    metric: str
    seeds: list[int]
    fixed: list[str]
    start: list[str]
    log: dict[str, int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A hash of what the task fixes."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


@cache
def tasks() -> dict[str, BenchTask]:
    """The tasks of this version of recframe by name, in alphabetical order."""
    files = sorted((file for file in resources.files("recframe.conf").joinpath("bench").iterdir() if file.name.endswith(".yaml")), key=str)
    found = [BenchTask(**_content(file)) for file in files]
    return {task.name: task for task in found}


def find_task(name: str) -> BenchTask:
    """The task of this name.

    Raises
    ------
    TaskError: if there is none.
    """
    if name not in tasks():
        raise TaskError([f"there is no task {name!r}{suggestion(name, list(tasks()))}"])
    return tasks()[name]


def _content(file: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content
