"""The settings of a participant's runs, and the refusal of those that change the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from recframe.bench.task import BenchTask, TaskError
from recframe.config import TRAIN, Composition, composition, recorded
from recframe.config.checks.paths import is_path
from recframe.config.compose.quoting import quoted_value
from recframe.config.written import places_at

FREE = (
    "agent",
    "state_tracker",
    "encoder",
    "embeddings",
    "auxiliary",
    "prior",
    "trainer",
    "logged",
    "environment.num_users",
    "logger",
    "device",
    "name",
)
"""What a participant may set: how is learned, and from which texts, but not in which world, for how long, and how it is evaluated."""
BUDGET = ("trainer.env_steps", "logged.batches")
LARGEST_CHUNK = 0.05
"""The share of the steps of training that a chunk may have."""
UNRECORDED = ("logger", "name", "device", "embeddings.cache")
"""Settings that change no result, and may hold what is of no concern to others, such as paths."""


def compose_runs(task: BenchTask, own: Sequence[str], log: Path | None) -> Composition:
    """The config of a participant's runs, with the first seed of the task.

    log: the file of the generated log, if the task has one.

    Raises
    ------
    ConfigError: with every mistake in the settings.
    TaskError: if a setting changes what the task fixes.
    """
    world = [*task.fixed, *([f"dataset.interactions={quoted_value(str(log))}"] if log else []), f"seed={task.seeds[0]}"]
    keys = {setting.partition("=")[0] for setting in world}
    changed = [setting for setting in own if setting.lstrip("+~").partition("=")[0] in keys]
    if changed:
        raise TaskError([f"{text}: the task {task} fixes {text.lstrip('+~').partition('=')[0]}; leave it out" for text in changed])
    chosen = {setting.partition("=")[0] for setting in own}
    start = [setting for setting in task.start if setting.partition("=")[0] not in chosen]
    found = composition([*world, *start, *own])
    usual = recorded(composition([*world, *task.start]).cfg)
    if lines := [line for key, then, now in _differences(usual, recorded(found.cfg), "") for line in _refusal(task, key, then, now)]:
        raise TaskError(lines)
    _require_budget(task, found.cfg)
    return found


def learning_settings(cfg: DictConfig) -> dict[str, Any]:
    """The sections that a participant may set, without what changes no result, for the results."""
    values = recorded(cfg)
    sections = {key: values[key] for key in FREE if key in values and key not in UNRECORDED}
    sections["embeddings"] = {key: value for key, value in sections["embeddings"].items() if f"embeddings.{key}" not in UNRECORDED}
    return {key: _without_paths(section, (key,)) for key, section in sections.items()}


def recorded_overrides(own: Sequence[str]) -> list[str]:
    """The settings as they were written, without those of loggers and places, which are nobody else's concern, and with the last parts
    of paths.
    """
    kept = [text for text in own if not text.startswith(("logger", "embeddings.cache", "device", "hydra.", "name="))]
    return [_without_paths_in_text(text) for text in kept]


def _without_paths_in_text(text: str) -> str:
    override: Any = OverridesParser.create().parse_overrides([text])[0]
    for path in _local_paths(override.value(), tuple(override.key_or_group.split("."))):
        key, equals, value = text.partition("=")
        # "." has no last part
        text = f"{key}{equals}{value.replace(path, Path(path).resolve().name)}"
    return text


def _without_paths(value: Any, key: tuple[str, ...]) -> Any:
    """Values of the config with the last part of each path, which says nothing about the machine or its user."""
    if isinstance(value, Mapping):
        return {name: _without_paths(inner, (*key, str(name))) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(entry, key) for entry in value]
    return Path(value).resolve().name if list(_local_paths(value, key)) else value


def _local_paths(value: Any, key: tuple[str, ...]) -> Iterator[str]:
    """The values that are paths on this machine, of options that are declared as paths. The name of a model on a hub is none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _local_paths(inner, (*key, str(name)))
    elif isinstance(value, list):
        for entry in value:
            yield from _local_paths(entry, key)
    elif isinstance(value, str) and value and any(is_path(place.metadata) for place in places_at(key, [TRAIN])):
        path = Path(value).expanduser()
        if path.is_absolute() or path.exists():
            yield value


def _require_budget(task: BenchTask, cfg: DictConfig) -> None:
    """Refuse chunks that are so long that training, which ends after a whole one, would be longer than that of others."""
    if "simulated" not in cfg.stages:
        return
    steps, chunk = cfg.trainer.env_steps, cfg.trainer.chunk_steps * cfg.environment.num_users
    if chunk > LARGEST_CHUNK * steps:
        sizes = f"trainer.chunk_steps={cfg.trainer.chunk_steps} of environment.num_users={cfg.environment.num_users}"
        allowed = f"chunks of {int(LARGEST_CHUNK * steps):,} user-steps, since training ends after a whole one"
        raise TaskError([f"{sizes}: the task {task} allows {allowed}; lower one of these settings"])


def _refusal(task: BenchTask, key: str, then: Any, now: Any) -> Iterator[str]:
    if key in BUDGET or not any(key == free or key.startswith(f"{free}.") for free in FREE):
        yield f"{key}={now}: the task {task} fixes it at {then}; leave out what changes it"


def _differences(then: Any, now: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """The keys of values that differ, with both values."""
    if isinstance(then, Mapping) and isinstance(now, Mapping) and key not in FREE:
        for name in dict.fromkeys([*then, *now]):
            yield from _differences(then.get(name), now.get(name), f"{key}.{name}" if key else str(name))
    elif key in ("trainer", "logged"):
        for full in BUDGET:
            section, _, name = full.partition(".")
            if section == key and then[name] != now[name]:
                yield full, then[name], now[name]
    elif then != now:
        yield key, then, now
