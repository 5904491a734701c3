"""Checks of one section of a config: types, names of settings, bounds, and settings that contradict each other."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.components import Component, Kind, bounds_problems, contradictions, node
from recframe.config.problems import in_our_words
from recframe.plugin_loader import UnknownComponent, registry, suggestion


def merged_as(prefix: str, schema: DictConfig, values: Any) -> tuple[DictConfig | None, list[str]]:
    """`values` in the types of `schema`, or the problems that prevent it."""
    try:
        merged = OmegaConf.merge(schema, values)
    except OmegaConfBaseException as error:
        return None, [f"{prefix}{getattr(error, 'full_key', '') or 'config'}: {_said(error)}"]
    assert isinstance(merged, DictConfig)
    return merged, []


def _said(error: OmegaConfBaseException) -> str:
    return in_our_words(str(error).splitlines()[0], str(getattr(error, "full_key", "")))


def resolved(cfg: DictConfig) -> tuple[dict[str, Any], list[str]]:
    """The plain values of the config with interpolations filled in, or the problems of the interpolations."""
    try:
        values: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        return {}, [f"{getattr(error, 'full_key', '') or 'config'}: {_said(error)}"]
    return values, []


def check_fields(prefix: str, values: Mapping[str, Any], schema: type) -> list[str]:
    """The problems of the fields of one dataclass and of those nested in it: unknown names, missing values, bounds, choices and paths."""
    problems = unknown_settings(prefix, values, schema)
    for field in dataclasses.fields(schema):
        value = values.get(field.name)
        key = f"{prefix}{field.name}"
        if isinstance(value, Mapping) and dataclasses.is_dataclass(field.type):
            problems += check_fields(f"{key}.", value, field.type)  # type: ignore[arg-type]
        elif value == "???":
            if field.name not in list(Kind):
                problems.append(f"{key} is required: {field.metadata.get('help') or 'it has no default'} (add {key}=...)")
        else:
            problems += [f"{key}: {problem}" for problem in _check_value(value, field.metadata)]
    return problems


def unknown_settings(prefix: str, values: Mapping[str, Any], schema: type) -> list[str]:
    """The keys that no field of the dataclass has. Only `+key=value` or an edited file can bring one this far."""
    known = [field.name for field in dataclasses.fields(schema)]
    return [f"{prefix}{key}: there is no such setting{suggestion(key, known)}" for key in values if key not in known]


def check_loggers(loggers: Mapping[str, Any]) -> list[str]:
    """The problems of the section `logger`."""
    problems = []
    for name, settings in loggers.items():
        try:
            config = registry().logger(name).component.config
        except UnknownComponent as error:
            problems.append(f"logger.{name}: {error}")
            continue
        problems += check_fields(f"logger.{name}.", settings, config) or contradictions(_object_of(config, settings))
    return problems


def _object_of(config: Any, settings: Mapping[str, Any]) -> Any:
    """The settings as an object of their class, and those in sections of their own as objects of theirs."""
    given = {field.name: (field.type, settings[field.name]) for field in dataclasses.fields(config) if field.name in settings}
    return config(**{name: _object_of(kind, value) if _is_section(kind, value) else value for name, (kind, value) in given.items()})


def _is_section(kind: Any, value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(kind, type) and dataclasses.is_dataclass(kind)


def section_at(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The section under a dotted key."""
    for part in key.split("."):
        values = values[part]
    return values


def check_section(key: str, component: Component, settings: Mapping[str, Any]) -> list[str]:
    """The problems of the section of the component at `key`: of each setting, or else of the settings together."""
    return check_fields(f"{key}.", settings, node(component)) or _check_together(key, component, settings)


def _check_together(key: str, component: Component, settings: Mapping[str, Any]) -> list[str]:
    lines = contradictions(_object_of(component.config, settings))
    return lines if component.kind is Kind.REWARD else [with_key(line, component.kind, key) for line in lines]


def with_key(line: str, kind: Kind, key: str) -> str:
    """A component's message with the actual keys of its settings: the component writes "encoder.model" wherever its section is."""
    return line if key == kind else re.sub(rf"(?<![\w.]){kind}\.(?=\w)", f"{key}.", line)


def _check_value(value: Any, metadata: Mapping[str, Any]) -> Iterator[str]:
    yield from bounds_problems(value, metadata)
    if (metadata.get("exists") or metadata.get("path") in ("folder", "policy")) and value == "":
        yield "it is empty; give a path, or leave the setting out"
        return
    for path in (value if isinstance(value, list) else [value]) if metadata.get("exists") else ():
        if path is not None and not Path(path).expanduser().exists():
            yield f"{path!r} does not exist (looked in {Path.cwd()})" if not Path(path).is_absolute() else f"{path!r} does not exist"


def variable_problems(key: str, component: Component, settings: Mapping[str, Any]) -> list[str]:
    """The options that must name an environment variable and do not. The message does not repeat the value, which may be a secret."""
    return list(_unset_variables(key, component.config, settings))


def _unset_variables(key: str, schema: type, settings: Mapping[str, Any]) -> Iterator[str]:
    for field in dataclasses.fields(schema):
        value, name = settings.get(field.name), f"{key}.{field.name}"
        if isinstance(value, Mapping) and dataclasses.is_dataclass(field.type):
            yield from _unset_variables(name, field.type, value)  # type: ignore[arg-type]
        elif field.metadata.get("variable") and value is not None and not os.environ.get(str(value)):
            yield f"{name}: no environment variable of the given name is set; give the name of a variable, not the secret itself"
