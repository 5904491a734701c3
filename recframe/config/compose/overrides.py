"""Checks of single overrides of a command line: their form, the chosen names, and the keys and values that they set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.config.app import App
from recframe.config.checks.machine import folder_problem
from recframe.config.compose.error_line import error_line
from recframe.config.compose.grid import Axis
from recframe.config.compose.initialize import ConfigGroups
from recframe.config.compose.typed_text import declared_of, expects_text, is_name
from recframe.config.schema.declared import kinds_of_value
from recframe.plugin_loader import address_problem, closest, registry, suggestion

OPTIONAL_GROUPS = ("experiment", "study", "debug", "trainer", "encoder@world_encoder")


LIST_GROUPS = ("reward", "labels", "logger")
"""Groups of which several choices can be made."""


def without_nulls(overrides: Sequence[str]) -> list[str]:
    """The overrides in a form that Hydra accepts: it cannot set a group to null, which for these groups means to choose nothing."""
    spelt = {f"{group}=null": f"~{group}" for group in OPTIONAL_GROUPS} | {"logger=null": "logger=[]"}
    return [spelt.get(override, override) for override in overrides]


PARSER_NAME = "LexerNoViableAltException"
"""What Hydra says where a character has no place, without which one."""


def parse(overrides: Sequence[str], problems: list[str], loader: ConfigLoader | None = None) -> Iterator[Override]:
    """The parsed overrides. A line for each that cannot be parsed is added to `problems`.

    loader: it knows the choices of the config groups, which globs are expanded to.
    """
    parser = OverridesParser.create(config_loader=loader)
    for text in overrides:
        try:
            if text.lstrip("+~").startswith("="):
                problems.append(f"{text!r} is not of the form key=value; write the key before the sign")
                continue
            yield parser.parse_overrides([text])[0]
        except OverrideParseException as error:
            reason = str(error.message).splitlines()[0].removeprefix(f"Error parsing override '{text}'").strip()
            reason = "" if reason.startswith(PARSER_NAME) else reason
            detail = f" ({reason})" if reason else ""
            problems.append(f"{text!r} is not of the form key=value{detail}; quote special characters, as in 'key=\"a,b\"'")


ADD_SWEEP = "to run once with each, add -m"


def sweep_problems(overrides: Sequence[str], app: App, instead: str = ADD_SWEEP) -> list[str]:
    """One line for each override with several values, or about a sweep, which only a sweep can use. `instead`: what to do."""
    problems: list[str] = []
    for override in parse(without_nulls(overrides), []):
        if override.key_or_group.startswith("sweep."):
            problems.append(f"{override.key_or_group}: it is about the jobs of a sweep; add -m, or leave it out")
        if not override.is_sweep_override():
            continue
        key, text = override.get_key_element(), override.input_line or ""
        value = text.partition("=")[2]
        if expects_text(key, app) and not is_name(key, app):
            remedy = f"as one text, quote it: '{key}=\"{value}\"'"
        elif re.fullmatch(r"-?\d+,\d+", value) and any(float in types for types in kinds_of_value(declared_of(key, app))):
            remedy = f"with a decimal point: {key}={value.replace(',', '.')}"
        else:
            remedy = ""
        several = f"several values; {instead}"
        problems.append(f"{text}: {several}{'; ' + remedy if remedy else ''}")
    return problems


def is_group(override: Override, groups: ConfigGroups) -> bool:
    """Whether the override chooses from a config group, and does not set a value."""
    return "." not in override.key_or_group and bool(groups.choices(override.key_or_group))


def wrong_choices(override: Override, groups: ConfigGroups) -> list[str]:
    """One line for each name that is not a choice of the override's group."""
    group = override.key_or_group
    choices = groups.choices(group)
    lists = [value for value in Axis.of(override).values if isinstance(value, list)] if group not in LIST_GROUPS else []
    if lists:
        each = ",".join(map(str, lists[0]))
        return [f"{override.get_key_element()}: one choice is made here, not a list; to run once with each, use -m {group}={each}"]
    for value in Axis.of(override).values:
        if isinstance(value, list) and (twice := [name for name in value if value.count(name) > 1]):
            return [f"{override.get_key_element()}: {twice[0]!r} is named twice; name each once"]
    names = [name for value in Axis.of(override).values for name in (value if isinstance(value, list) else [value])]
    if None in names:
        return [f"{group}=null: a choice is required; there are: {', '.join(choices)}"]
    unknown = [str(name) for name in names if not groups.has(group, str(name))]
    whence = registry().whence
    return [
        f"{override.get_key_element()}={name}: {group} has no choice {name!r}{suggestion(name, choices)}{whence(group, name)}"
        for name in unknown
    ]


def apply_value(axis: Axis, choice: int, cfg: DictConfig) -> str:
    """Set the value in `cfg`, or return the reason why it cannot be set."""
    problem = unknown_key(axis.key, cfg)
    if problem or not axis.values:
        return problem
    try:
        OmegaConf.update(cfg, axis.key, axis.values[choice], merge=True)
    except OmegaConfBaseException as error:
        return f"{axis.key}: {error_line(error).removeprefix(f'{axis.key}: ')}"
    return ""


def search_path_problems(addresses: Iterable[object]) -> list[str]:
    """The places of Hydra's search path at which there are no configs; Hydra itself passes over them."""
    return [f"hydra.searchpath names {problem}" for address in addresses if (problem := address_problem(str(address)))]


def hydra_folder_problems(override: Override) -> list[str]:
    """The problems of the folders that Hydra is told to make, or to look for configs in."""
    if override.key_or_group == "hydra.searchpath":
        return search_path_problems(
            address for value in Axis.of(override).values for address in (value if isinstance(value, list) else [value])
        )
    if override.key_or_group in ("hydra.launcher", "hydra.sweeper"):
        group = override.key_or_group.replace(".", "/")
        return [f"{override.input_line}: write {group}={override.get_value_element_as_str()}, with a slash, which chooses it"]
    folders = [
        str(value)
        for value in Axis.of(override).values
        if override.key_or_group in ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
    ]
    return [problem for folder in folders if (problem := folder_problem(override.key_or_group, folder))]


def unknown_key(key: str, cfg: DictConfig) -> str:
    """The problem of a dotted key that `cfg` does not have, or ''."""
    node: Any = cfg
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return f"{key}: {'.'.join(walked)} is a value and has no {part!r}"
        known = [str(name) for name in node]  # `in` is false for a key whose value is missing
        if part not in known:
            if walked and not known:
                return f"{key}: to put {part!r} into {'.'.join(walked)}, which is empty, write +{key}=..."
            close = closest(part, known)
            meant = f" Did you mean {'.'.join([*walked, close])!r}?" if close else ""
            where = ".".join(walked) or "the config"
            return f"{key}: {where} has no {part!r}.{meant} It has: {', '.join(known) or 'nothing'}"
        node = OmegaConf.select(node, part, throw_on_missing=False) if not OmegaConf.is_missing(node, part) else None
        walked.append(part)
    return ""
