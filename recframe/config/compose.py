"""Composing configs outside a running app, and finding every mistake in a command line at once.

Hydra stops at the first mistake, and knows no "did you mean". So before Hydra runs the app, each override is checked on its own
against the composed config, and what is left is validated as a whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.components import Kind
from recframe.config.problems import ConfigError
from recframe.config.search_path import RecframeSearchPath, install_search_path
from recframe.config.store import store_schemas
from recframe.config.validate import find_problems
from recframe.plugins import registry, suggestion

CONFIG_NAME = "config"
CONFIG_MODULE = "recframe.conf"


@contextmanager
def _hydra(config_dir: str | None = None) -> Iterator[ConfigLoader]:
    """Hydra initialized as the app does it, for as long as the block lasts."""
    install_search_path()
    store_schemas(registry())
    RecframeSearchPath.config_dir = config_dir
    try:
        with initialize_config_module(config_module=CONFIG_MODULE, version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        RecframeSearchPath.config_dir = None


def compose_config(overrides: Sequence[str] = (), config_dir: str | None = None) -> DictConfig:
    """The run config that `recframe train OVERRIDES` would use, from Python.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    problems = find_mistakes(overrides, config_dir)
    if problems:
        raise ConfigError(problems)
    with _hydra(config_dir):
        return compose(CONFIG_NAME, overrides=list(overrides))


def find_mistakes(overrides: Sequence[str], config_dir: str | None = None) -> list[str]:
    """One line for each mistake in a command line's overrides, and in the config they compose to."""
    if config_dir is not None and not Path(config_dir).is_dir():
        return [f"--config-dir: {config_dir!r} is no folder"]
    problems: list[str] = []
    with _hydra(config_dir) as loader:
        groups: list[str] = []
        values: list[Override] = []
        for override in _parse(overrides, problems):
            if override.is_hydra_override():
                continue
            if override.is_add() or override.is_force_add() or override.is_delete():
                groups.append(override.input_line or "")
            elif _is_group(override, loader):
                wrong = _wrong_choices(override, loader)
                problems += wrong
                groups += [] if wrong else [_one_choice(override)]
            else:
                values.append(override)
        try:
            cfg = compose(CONFIG_NAME, overrides=groups)
        except (HydraException, OmegaConfBaseException) as error:
            return [*problems, explain(error)]
        for override in values:
            problems += _apply(override, cfg)
    # what was refused above left its default behind, about which there is nothing to say
    refused = {problem.partition(":")[0] for problem in problems}
    return problems + [line for line in find_problems(cfg, registry()) if line.partition(":")[0] not in refused]


def explain(error: BaseException) -> str:
    """One line for an exception of Hydra's or OmegaConf's."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        wanted = str(error.missing_cfg_file).removesuffix(".yaml")
        options = [str(option).rpartition("/")[2] for option in error.options or []]
        return f"there is no config {wanted!r}{suggestion(wanted.rpartition('/')[2], options)}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    # a heading ends in a colon, and the next line says what it is about
    message = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1]) or type(cause).__name__
    return f"{key}: {message}" if key and str(key) not in message else message


def _parse(overrides: Sequence[str], problems: list[str]) -> Iterator[Override]:
    parser = OverridesParser.create()
    for text in overrides:
        try:
            yield parser.parse_overrides([text])[0]
        except OverrideParseException as error:
            reason = str(error.message).splitlines()[0].removeprefix(f"Error parsing override '{text}'").strip()
            detail = f" ({reason})" if reason else ""
            problems.append(f"{text!r} is not of the form key=value{detail}; quote special characters, as in 'key=\"a,b\"'")


def _is_group(override: Override, loader: ConfigLoader) -> bool:
    key = override.key_or_group
    return "." not in key and bool(loader.get_group_options(key, ObjectType.CONFIG))


def _choices(override: Override) -> list[Any]:
    """The values of an override: one, or each of a sweep over choices. Other sweeps are for Hydra to check."""
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return [Override._convert_value(choice) for choice in value.list]
    return [] if override.is_sweep_override() else [value]


def _one_choice(override: Override) -> str:
    """The override with the first of its choices."""
    if not override.is_sweep_override():
        return override.input_line or ""
    first = next(override.sweep_string_iterator())
    return f"{override.key_or_group}={first}"


def _wrong_choices(override: Override, loader: ConfigLoader) -> list[str]:
    key = override.key_or_group
    options = sorted(loader.get_group_options(key, ObjectType.CONFIG))
    names = [name for choice in _choices(override) for name in (choice if isinstance(choice, list) else [choice])]
    unknown = [str(name) for name in names if name is not None and str(name) not in options]
    # a plugin that failed to load may be the one that is meant
    failed = "".join(f". Note: {failure}" for failure in registry().failures) if key in list(Kind) else ""
    return [f"{key}={name}: there is no such {key}{suggestion(name, options)}{failed}" for name in unknown]


def _apply(override: Override, cfg: DictConfig) -> list[str]:
    """Set the value in `cfg`, or say why it cannot be."""
    key = override.key_or_group
    problem = _unknown_key(key, cfg)
    if problem:
        return [problem]
    problems = []
    for value in reversed(_choices(override)):  # the first of a sweep's choices is the one that stays
        try:
            OmegaConf.update(cfg, key, value, merge=True)
        except OmegaConfBaseException as error:
            problems.append(f"{key}: {explain(error).removeprefix(f'{key}: ')}")
    return problems


def _unknown_key(key: str, cfg: DictConfig) -> str:
    """What is wrong with a dotted key, or ''."""
    node: Any = cfg
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return f"{key}: {'.'.join(walked)} is a value, it holds no {part!r}"
        known = [str(name) for name in node]  # `in` would deny keys whose value is still missing
        if part not in known:
            close = difflib.get_close_matches(part, known, n=1)
            meant = f" Did you mean {'.'.join([*walked, close[0]])!r}?" if close else ""
            where = ".".join(walked) or "the config"
            return f"{key}: {where} has no {part!r}.{meant} It has: {', '.join(known) or 'nothing'}"
        node = OmegaConf.select(node, part, throw_on_missing=False) if not OmegaConf.is_missing(node, part) else None
        walked.append(part)
    return ""
