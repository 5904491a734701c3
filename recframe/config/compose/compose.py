"""Composing configs outside a running app, and finding every mistake in a command line at once.

Hydra stops at the first mistake, and knows no "did you mean". So before Hydra runs the app, each override is checked on its own
against the composed config, and what is left is validated as a whole; a sweep's jobs all before the first of them starts.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra import compose, initialize_config_module
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.components import Kind
from recframe.config.app import TRAIN, App
from recframe.config.checks.machine import folder_problem
from recframe.config.compose.grid import Axis, Job, describe, jobs
from recframe.config.compose.search_path import RecframeSearchPath, install_search_path
from recframe.config.problems import ConfigError
from recframe.config.schema.store import store_schemas
from recframe.plugin_loader import registry, suggestion

CONFIG_MODULE = "recframe.conf"
OPTIONAL_GROUPS = ("experiment", "debug", "encoder@world_encoder")
MAX_COMPOSITIONS = 8  # of a sweep's groups; a tenth of a second each


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


def compose_config(overrides: Sequence[str] = (), config_dir: str | None = None, app: App = TRAIN) -> DictConfig:
    """The config that `recframe train OVERRIDES` would use, from Python; with `app=PRETRAIN`, that of `recframe pretrain OVERRIDES`.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    overrides = without_nulls(overrides)
    problems = find_mistakes(overrides, config_dir, app=app)
    if problems:
        raise ConfigError(problems)
    with _hydra(config_dir):
        return compose(app.config_name, overrides=list(overrides))


def without_nulls(overrides: Sequence[str]) -> list[str]:
    """The overrides in words that Hydra knows: it cannot set a group to null, which for these groups means to choose nothing."""
    spelt = {f"{group}=null": f"~{group}" for group in OPTIONAL_GROUPS} | {"logger=null": "logger=[]"}
    return [spelt.get(override, override) for override in overrides]


def find_mistakes(overrides: Sequence[str], config_dir: str | None = None, config_name: str | None = None, app: App = TRAIN) -> list[str]:
    """One line for each mistake in a command line's overrides, and in the configs they compose to: in a sweep, one for each job.

    Parameters
    ----------
    config_dir, config_name: as `--config-dir` and `--config-name`; by default none, and the app's own primary config.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        return [f"--config-dir: {config_dir!r} is no folder"]
    problems: list[str] = []
    with _hydra(config_dir) as loader:
        fixed: list[str] = []
        groups: list[Axis] = []
        values: list[Axis] = []
        unknown: set[str] = set()
        for override in _parse(without_nulls(overrides), problems):
            if override.is_hydra_override():
                problems += _folder_problems(override)
            elif override.is_add() or override.is_force_add() or override.is_delete():
                if override.is_sweep_override():
                    groups.append(Axis.of(override))
                else:
                    fixed.append(override.input_line or "")
            elif override.key_or_group in _foreign(app):
                problems.append(f"{override.key_or_group}: recframe {app.command} has nothing to choose there; it has: {_keys(app)}")
            elif _is_group(override, loader):
                wrong = _wrong_choices(override, loader)
                problems += wrong
                groups += [] if wrong else [Axis.of(override)]
                unknown |= {override.package or override.key_or_group} if wrong else set()
            else:
                values.append(Axis.of(override))
        # of what was meant to be chosen there nobody knows the keys
        values = [axis for axis in values if axis.key.partition(".")[0] not in unknown]
        return problems + _job_problems(app, config_name or app.config_name, fixed, groups, values, problems)


def _foreign(app: App) -> set[str]:
    """Groups that only the other app chooses from."""
    known = {field.name for field in dataclasses.fields(app.schema)}
    return set() if app is TRAIN else ({field.name for field in dataclasses.fields(TRAIN.schema)} | {*OPTIONAL_GROUPS}) - known


def _keys(app: App) -> str:
    return ", ".join(field.name for field in dataclasses.fields(app.schema))


def _job_problems(app: App, config_name: str, fixed: list[str], groups: list[Axis], values: list[Axis], known: list[str]) -> list[str]:
    """What is wrong with the jobs of the grid, beside what is `known` already; each problem once."""
    axes = [*groups, *values]
    composed: dict[Job, DictConfig | str] = {}
    checked: list[Job] = []
    found: dict[str, set[Job]] = {}
    for job in jobs(axes):
        chosen = job[: len(groups)]
        if chosen not in composed:
            if len(composed) == MAX_COMPOSITIONS:
                continue
            choices = [text for axis, i in zip(groups, chosen, strict=True) for text in axis.override(i)]
            composed[chosen] = _compose(app, config_name, [*fixed, *choices])
        checked.append(job)
        for problem in _problems_of(app, composed[chosen], zip(values, job[len(groups) :], strict=True), known):
            found.setdefault(problem, set()).add(job)
    return [describe(problem, failing, checked, axes) for problem, failing in found.items()]


def _compose(app: App, config_name: str, overrides: list[str]) -> DictConfig | str:
    """The config, or why there is none."""
    try:
        cfg = compose(config_name, overrides=overrides)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        return explain(error)
    present = {str(key) for key in cfg}
    lacking = [field.name for field in dataclasses.fields(app.schema) if field.name not in present]
    if lacking:
        return f"config {config_name!r} is not a run's: it lacks {', '.join(lacking)}; begin its defaults list with {app.config_name!r}"
    return cfg


def _problems_of(app: App, composed: DictConfig | str, choices: Iterable[tuple[Axis, int]], known: list[str]) -> list[str]:
    """What is wrong with one job: a composition, and the values that are set in it."""
    if isinstance(composed, str):
        return [composed]
    cfg = copy.deepcopy(composed)
    problems = [problem for axis, choice in choices if (problem := _apply(axis, choice, cfg))]
    # what was refused left its default behind, about which there is nothing to say
    refused = {problem.partition(":")[0] for problem in [*known, *problems]}
    return problems + [line for line in app.find_problems(cfg, registry()) if line.partition(":")[0] not in refused]


def explain(error: BaseException) -> str:
    """One line for an exception of Hydra's, OmegaConf's or the YAML parser's."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: not YAML: {error.problem}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        wanted = str(error.missing_cfg_file).removesuffix(".yaml")
        options = [str(option).rpartition("/")[2] for option in error.options or []]
        return f"there is no config {wanted!r}{suggestion(wanted.rpartition('/')[2], options) if options else ''}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    if "is not a subclass of LabelConfig" in str(cause):
        return f"labels.{key}: labels of your own go into a file, such as conf/labels/{key}.yaml, to be chosen as labels=[{key}]"
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


def _wrong_choices(override: Override, loader: ConfigLoader) -> list[str]:
    key = override.key_or_group
    options = sorted(loader.get_group_options(key, ObjectType.CONFIG))
    names = [name for choice in Axis.of(override).values for name in (choice if isinstance(choice, list) else [choice])]
    if None in names:
        return [f"{key}=null: something has to be chosen; there are: {', '.join(options)}"]
    unknown = [str(name) for name in names if str(name) not in options]
    # a plugin that failed to load may be the one that is meant
    failed = "".join(f". Note: {failure}" for failure in registry().failures) if key in list(Kind) else ""
    return [f"{override.get_key_element()}={name}: there is no such {key}{suggestion(name, options)}{failed}" for name in unknown]


def _apply(axis: Axis, choice: int, cfg: DictConfig) -> str:
    """Set the value in `cfg`, or say why it cannot be."""
    problem = _unknown_key(axis.key, cfg)
    if problem or not axis.values:
        return problem
    try:
        OmegaConf.update(cfg, axis.key, axis.values[choice], merge=True)
    except OmegaConfBaseException as error:
        return f"{axis.key}: {explain(error).removeprefix(f'{axis.key}: ')}"
    return ""


def _folder_problems(override: Override) -> list[str]:
    """What is wrong with the folders that Hydra is told to make."""
    folders = [str(value) for value in Axis.of(override).values if override.key_or_group in ("hydra.run.dir", "hydra.sweep.dir")]
    return [problem for folder in folders if (problem := folder_problem(override.key_or_group, folder))]


def _unknown_key(key: str, cfg: DictConfig) -> str:
    """What is wrong with a dotted key, or ''."""
    node: Any = cfg
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return f"{key}: {'.'.join(walked)} is a value, it holds no {part!r}"
        known = [str(name) for name in node]  # `in` would deny keys whose value is still missing
        if part not in known:
            if walked and not known:
                return f"{key}: to put {part!r} into {'.'.join(walked)}, which is empty, write +{key}=..."
            close = difflib.get_close_matches(part, known, n=1)
            meant = f" Did you mean {'.'.join([*walked, close[0]])!r}?" if close else ""
            where = ".".join(walked) or "the config"
            return f"{key}: {where} has no {part!r}.{meant} It has: {', '.join(known) or 'nothing'}"
        node = OmegaConf.select(node, part, throw_on_missing=False) if not OmegaConf.is_missing(node, part) else None
        walked.append(part)
    return ""
