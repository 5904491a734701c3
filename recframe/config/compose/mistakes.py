"""The search for every mistake in a command line, before Hydra runs an app.

Hydra stops at the first mistake and suggests no correction. So each override is first checked by itself against the composed config,
and the rest is validated as a whole. Of a sweep, all jobs are checked before the first of them starts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from recframe.config.app import App
from recframe.config.apps import TRAIN
from recframe.config.checks.validate import find_new_run_problems
from recframe.config.compose.error_line import error_line
from recframe.config.compose.file_settings import COMPOSITION_ERRORS, FileSetting, setting_problems, settings_of_files, with_places
from recframe.config.compose.grid import Axis, Job, describe, jobs, some_jobs
from recframe.config.compose.in_place import changed
from recframe.config.compose.initialize import initialized
from recframe.config.compose.overrides import (
    LIST_GROUPS,
    OPTIONAL_GROUPS,
    apply_value,
    hydra_folder_problems,
    is_group,
    parse,
    search_path_problems,
    unknown_key,
    without_nulls,
    wrong_choices,
)
from recframe.config.compose.typed_text import text_as_typed
from recframe.config.compose.yaml_files import wrong_files
from recframe.config.problems import ConfigError
from recframe.config.sent_variables import chosen_by_files, sent_variables

Visit = Callable[[frozenset[str], DictConfig], None]
"""It is called with each sound job of a sweep: its overrides, without Hydra's own, and its config, which must stay as it is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A composed config, the file that was chosen for each config group, the overrides that it was composed with, and `hydra.mode`.

    hydra: Hydra's own section, plain and not filled in.
    sends_nothing: the texts that jobs set, keys and values, with which no environment variable is sent anywhere; most set the same ones.
    """

    cfg: DictConfig
    choices: Mapping[str, Any]
    config_name: str
    overrides: Sequence[str]
    mode: Any
    hydra: Any
    sends_nothing: set[frozenset[str]] = dataclasses.field(default_factory=set)

    @cached_property
    def file_settings(self) -> list[FileSetting]:
        """What the users' and plugins' files behind the config set."""
        return settings_of_files(self.config_name, self.overrides)


def find_mistakes(
    overrides: Sequence[str],
    config_dir: str | None = None,
    config_name: str | None = None,
    app: App = TRAIN,
    visit: Visit | None = None,
    *,
    searched: bool = False,
    modes: set[Any] | None = None,
) -> list[str]:
    """One line for each mistake in the overrides of a command line, and in the configs that they compose to (of a sweep, in each job's).

    Parameters
    ----------
    config_dir, config_name: as `--config-dir` and `--config-name`; by default none, and the app's own primary config.
    visit: called with each job that has no mistake, so that nobody has to compose it again.
    searched: whether the sweep is a search: it tries some of all combinations, and leaves a setting that only some choices have out of the
        jobs of the others.
    modes: the `hydra.mode` of each composed config is added to it.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        return [f"--config-dir: {config_dir!r} is not a folder"]
    problems: list[str] = []
    with initialized(config_dir) as config_groups:
        fixed: list[str] = []
        groups: list[Axis] = []
        values: list[Axis] = []
        unknown: set[str] = set()
        loader = GlobalHydra.instance().config_loader()
        for override in parse(text_as_typed(without_nulls(overrides), app), problems, loader):
            if override.is_hydra_override():
                problems += hydra_folder_problems(override)
            elif override.is_add() or override.is_force_add() or override.is_delete():
                if override.is_sweep_override():
                    groups.append(Axis.of(override))
                else:
                    fixed.append(override.input_line or "")
            elif override.key_or_group in _groups_of_other_apps(app):
                problems.append(f"{override.key_or_group}: recframe {app.command} has no such group; it has: {_keys(app)}")
            elif is_group(override, config_groups):
                wrong = wrong_choices(override, config_groups)
                problems += wrong
                groups += [] if wrong else [Axis.of(override)]
                unknown |= {override.package or override.key_or_group} if wrong else set()
            else:
                values.append(Axis.of(override))
        # the keys of a choice that does not exist are unknown
        values = [axis for axis in values if axis.key.partition(".")[0] not in unknown]
        unread = list(wrong_files([("", config_name or app.config_name), *_choices(groups)]))
        if not unread:
            return problems + _job_problems(app, config_name or app.config_name, fixed, groups, values, problems, visit, searched, modes)
        problems += list(dict.fromkeys(one.problem for one in unread))
        # the rest of the command line is checked without these files, as far as they do not decide it
        lost = {one.choice for one in unread}
        groups = [axis for axis in groups if not lost & set(_choices([axis]))]
        sure = [axis for axis in values if _is_decided(axis.key, groups, {group for group, _ in lost}, app)]
        others = _job_problems(app, app.config_name, fixed, groups, sure, problems)
        return problems + [line for line in others if line.partition(":")[0] in {axis.key for axis in sure}]


def _is_decided(key: str, groups: Sequence[Axis], lost: set[str], app: App) -> bool:
    """Whether the command line alone says which settings the section of a key has, if files of some groups cannot be read."""
    section = key.partition(".")[0]
    if section in lost:
        return False
    return section not in {*app.sections, *LIST_GROUPS} or section in {axis.key.partition("@")[0] for axis in groups}


def _groups_of_other_apps(app: App) -> set[str]:
    """The groups from which only the other app chooses."""
    known = {field.name for field in dataclasses.fields(app.schema)}
    return set() if app is TRAIN else ({field.name for field in dataclasses.fields(TRAIN.schema)} | {*OPTIONAL_GROUPS}) - known


def _choices(groups: Sequence[Axis]) -> Iterator[tuple[str, str]]:
    """Group and name of every choice."""
    for axis in groups:
        for value in axis.values:
            for name in value if isinstance(value, list) else [value]:
                yield axis.key.lstrip("+").partition("@")[0], str(name)


def _keys(app: App) -> str:
    return ", ".join(field.name for field in dataclasses.fields(app.schema))


def _job_problems(
    app: App,
    config_name: str,
    fixed: list[str],
    groups: list[Axis],
    values: list[Axis],
    known: list[str],
    visit: Visit | None = None,
    searched: bool = False,
    modes: set[Any] | None = None,
) -> list[str]:
    """The problems of the jobs of the grid, each once, in addition to those that are `known` already."""
    axes = [*groups, *values]
    checked: list[Job] = []
    found: dict[str, set[Job]] = {}
    composed: Found | list[str] = []
    known_keys: set[str] = set()
    for job in some_jobs(groups, values) if searched else jobs(axes):
        chosen = job[: len(groups)]
        # the groups' choices change slowest
        if not checked or checked[-1][: len(groups)] != chosen:
            composed = _compose(app, config_name, [*fixed, *_texts(groups, chosen)])
            if modes is not None and isinstance(composed, Found):
                modes.add(composed.mode)
        checked.append(job)
        texts = frozenset([*fixed, *_texts(axes, job)])
        given = [
            (axis, choice)
            for axis, choice in zip(values, job[len(groups) :], strict=True)
            if not (searched and isinstance(composed, Found) and unknown_key(axis.key, composed.cfg))
        ]
        known_keys |= {axis.key for axis, _ in given}
        for problem in _problems_of(app, composed, given, known, texts, visit):
            found.setdefault(problem, set()).add(job)
    if isinstance(composed, Found):
        # the keys that no choice has
        problems = [unknown_key(axis.key, composed.cfg) for axis in values if axis.key not in known_keys]
        found |= {problem: set(checked) for problem in problems if problem}
    return [describe(problem, failing, checked, axes) for problem, failing in found.items()]


def _texts(axes: Sequence[Axis], job: Job) -> list[str]:
    """The overrides of a job."""
    return [text for axis, choice in zip(axes, job, strict=True) for text in axis.override(choice)]


def _compose(app: App, config_name: str, overrides: list[str]) -> Found | list[str]:
    """The composed config, or the reasons why there is none."""
    try:
        cfg = compose(config_name, overrides=overrides, return_hydra_config=True)
    except ConfigError as error:
        return error.problems
    except COMPOSITION_ERRORS as error:
        return setting_problems(config_name, overrides, app) or [error_line(error)]
    if problems := search_path_problems(cfg.hydra.searchpath):
        return problems
    choices: Any = OmegaConf.to_container(cfg.hydra.runtime.choices)
    mode, hydra = cfg.hydra.mode, OmegaConf.to_container(cfg.hydra, resolve=False)
    with open_dict(cfg):
        del cfg["hydra"]
    present = {str(key) for key in cfg}
    lacking = [field.name for field in dataclasses.fields(app.schema) if field.name not in present]
    if taken_out := [text for text in overrides if text.startswith("~") and text[1:].partition("=")[0] in lacking]:
        return [f"{text}: a setting cannot be taken out; set it to another value, or leave it as it is" for text in taken_out]
    if lacking:
        return [
            f"config {config_name!r} is not a primary config of recframe {app.command}: it lacks {', '.join(lacking)}; "
            f"begin its defaults list with {app.config_name!r}"
        ]
    found = Found(cfg, choices, config_name, overrides, mode, hydra)
    return (setting_problems(config_name, overrides, app) or found) if _is_doubtful(cfg, app) else found


def _is_doubtful(cfg: DictConfig, app: App) -> bool:
    """Whether a component is null, or a reward, label or logger has settings but no schema, because it was not chosen."""
    if any(OmegaConf.is_missing(cfg, key) or cfg[key] is None for key in app.sections if key not in app.optional):
        return True
    return any(OmegaConf.get_type(cfg[group], name) is dict for group in LIST_GROUPS for name in cfg.get(group) or {})


def _problems_of(
    app: App,
    composed: Found | list[str],
    values: Iterable[tuple[Axis, int]],
    known: list[str],
    overrides: frozenset[str],
    visit: Visit | None,
) -> list[str]:
    """The problems of one job: of its composed config, and of the values that are set in it."""
    if isinstance(composed, list):
        return composed
    cfg, chosen = composed.cfg, list(values)
    with changed(cfg, {axis.key.partition(".")[0] for axis, _ in chosen}):
        problems = [problem for axis, choice in chosen if (problem := apply_value(axis, choice, cfg))]
        found = find_new_run_problems(cfg, app, composed.choices) + _sent_by_files(cfg, composed, chosen)
        if not (problems or found or known) and visit is not None:
            visit(overrides, cfg)
        # a refused value leaves the default in place, about which there is nothing to report
        refused = {problem.partition(":")[0] for problem in [*known, *problems]}
        found = [line for line in found if line.partition(":")[0] not in refused]
        with suppress(*COMPOSITION_ERRORS):
            # without places, if the files can no longer be followed
            found = with_places(found, cfg, composed.file_settings) if found else []
        return problems + found


def _sent_by_files(cfg: DictConfig, composed: Found, chosen: Sequence[tuple[Axis, int]]) -> list[str]:
    """The problems of environment variables that would leave this machine because of what a file says."""
    # numbers are neither addresses nor names of variables
    texts = frozenset(text for axis, n in chosen for text in axis.override(n) if not isinstance(axis.values[n], (int, float)))
    if texts in composed.sends_nothing:
        return []
    values: Any = OmegaConf.to_container(cfg, resolve=False)
    values = {**values, "hydra": composed.hydra}
    if not sent_variables(values):
        composed.sends_nothing.add(texts)
        return []
    decided = {axis.key for axis, _ in chosen} | {text.lstrip("+").partition("=")[0] for text in composed.overrides}
    return chosen_by_files(values, {one.key: one.place for one in composed.file_settings if one.key not in decided})
