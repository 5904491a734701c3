"""Files of results that people send, and the table that is made of them. A file is checked, and nothing in it is run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from recframe.bench.task import BenchTask, TaskError, find_task, tasks
from recframe.evaluation.seed_intervals import SeedsInterval, mover_interval
from recframe.reports.cells import interval_cell, markdown_row
from recframe.tracking.data_record import without_agent

FORMAT = "recframe bench 1"
LARGEST_FILE = 10_000_000
"""Bytes; a file of results has thousands."""
HEADER = ("place", "name", "metric", "seeds", "steps", "minutes")


class Entry(NamedTuple):
    """A participant's results.

    value: the task's metric, its mean over the seeds and its 95 % interval.   steps: of training, and before it.
    """

    name: str
    value: SeedsInterval
    seeds: int
    steps: int
    minutes: float


def read_results(files: Sequence[Path]) -> tuple[BenchTask, list[Entry]]:
    """The task that all files are about, and their entries, the best first.

    Raises
    ------
    TaskError: with a line for each file that is not of the task of the first one in this version, or not whole, or on other data.
    """
    contents: dict[Path, dict[str, Any]] = {}
    problems: list[str] = []
    for file in files:
        try:
            contents[file] = _checked(file)
        except TaskError as error:
            problems.append(f"{file}: {error}")
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
            problems.append(f"{file}: not a file of results ({_said(error)})")
    if contents:
        first = next(iter(contents.values()))
        problems += [f"{file}: {why}" for file, content in contents.items() if (why := _differs(content, first))]
    if problems:
        raise TaskError(problems)
    task = find_task(first["task"])
    return task, sorted((_entry(content, task) for content in contents.values()), key=lambda entry: -entry.value.mean)


def leaderboard(files: Sequence[Path]) -> Table:
    """The table of these files; see `read_results`."""
    task, entries = read_results(files)
    table = Table(title=f"{task}: {task.about}", box=None, header_style="bold", pad_edge=False)
    for place, column in enumerate(_header(task)):
        table.add_column(Text(column), justify="left" if place == 1 else "right")
    for row in _rows(entries):
        table.add_row(*map(Text, row))
    return table


def leaderboard_markdown(files: Sequence[Path]) -> str:
    """The same in Markdown."""
    task, entries = read_results(files)
    header = _header(task)
    return "\n".join([markdown_row(header), markdown_row(["---"] * len(header)), *map(markdown_row, _rows(entries))])


def _header(task: BenchTask) -> list[str]:
    return [f"{task.metric} [95 %]" if column == "metric" else column for column in HEADER]


def _rows(entries: Sequence[Entry]) -> list[list[str]]:
    return [
        [str(place), one.name, interval_cell(*one.value), str(one.seeds), f"{one.steps:,}", f"{one.minutes:.1f}"]
        for place, one in enumerate(entries, start=1)
    ]


def _checked(file: Path) -> dict[str, Any]:
    """The content of a file with the entries that a table reads."""
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise TaskError([f"larger than {LARGEST_FILE:,} bytes, which no results are"])
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaskError([f"cannot be read ({error.strerror})"]) from None
    if content["format"] != FORMAT:
        raise TaskError([f"of the format {content['format']!r}; this version of recframe reads {FORMAT!r}"])
    known = tasks().get(content["task"])
    if known is None:
        raise TaskError([f"of the task {content['task']!r}, which this version of recframe does not have"])
    if (content["version"], content["fingerprint"]) != (known.version, known.fingerprint):
        reason = f"version {content['version']}" if content["version"] != known.version else "a changed copy"
        raise TaskError([f"of {reason} of the task {known.name}; this version of recframe has version {known.version}"])
    if [one["seed"] for one in content["seeds"]] != known.seeds:
        raise TaskError([f"its seeds are not those of the task ({', '.join(map(str, known.seeds))})"])
    _entry(content, known)
    _world(content)
    return content


def _differs(content: dict[str, Any], first: dict[str, Any]) -> str:
    """Why results cannot be in one table with those of the first file, or ''."""
    if content["task"] != first["task"]:
        return f"of the task {content['task']}; the first file is of {first['task']}: make a table of each"
    if _world(content) != _world(first):
        return "on other data than the first file: another version of what generates it, or changed files"
    return ""


def _world(content: dict[str, Any]) -> dict[str, Any]:
    """The fingerprints of the data, without that of the participant's own encoder."""
    return without_agent(content["seeds"][0]["data"])


def _entry(content: dict[str, Any], task: BenchTask) -> Entry:
    found = [one["metrics"][task.metric] for one in content["seeds"]]
    values, lows, highs = ([_number(one[name]) for one in found] for name in ("mean", "low", "high"))
    steps = int(content["seeds"][0].get("batches") or content["seeds"][0]["env_steps"]) + int(content["steps_before_training"])
    name = "".join(letter if letter.isprintable() else " " for letter in str(content["name"]))
    minutes = sum(_number(one["seconds"]) for one in content["seeds"]) / 60
    interval = mover_interval(values, lows, highs) if len(values) > 1 else SeedsInterval(values[0], lows[0], highs[0])
    return Entry(name, interval, len(values), steps, minutes)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _said(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0] if str(error) else type(error).__name__
