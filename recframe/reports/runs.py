"""Finds the runs below a folder, and the settings in which they differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from recframe.config.written import require_written_out
from recframe.errors import UserError
from recframe.reports.planned import SWEEP_LOCK, is_run_folder, planned_jobs
from recframe.reports.states import State, state_without_result
from recframe.tracking.folder import CONFIG_NAME, OVERRIDES_NAME, RunFolderError, read_choices, read_overrides
from recframe.tracking.lock_state import is_locked
from recframe.tracking.result import RESULT_NAME, read_result
from recframe.tracking.resume_command import SWEEP_NAME

# settings that identify a run or say where and how it is recorded, not what it does
LABELS = ("seed", "name", "resume", "hydra", "logger", "embeddings.cache", "reuse", "trainer.progress_bar")
SEED = "${seed}"
"""The value of a setting that changes with the seed, as in `dataset.split_seed=${seed}`: runs that differ in it differ in their seed."""
REMOVED = "(removed)"
UNNAMED = "(no name)"

Settings = dict[str, str]


class SweepError(UserError):
    """A folder without runs to report."""


class NoRuns(SweepError):
    """A folder in which there is no run, or none yet."""


@dataclass(frozen=True)
class FoundRun:
    """What the folder of a run says about it, whether it has finished or not.

    name: its folder relative to the sweep's.   folder: its absolute path.   settings: those in which runs differ.   config: the values of
    its config.   choices: the files that were chosen for the config groups.   label: its setting `name`.   overrides: those that it was
    started with.
    """

    name: str
    folder: Path
    settings: Settings
    config: Settings
    choices: Settings
    label: str | None
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class SweepRun(FoundRun):
    """A finished run, with the content of its result.json."""

    result: dict[str, Any]


@dataclass(frozen=True)
class UnfinishedRun(FoundRun):
    """A run without a usable result, its state, and the reason in one line."""

    state: State
    reason: str


@dataclass(frozen=True)
class Sweep:
    """The runs below some folders, in natural order of their names ("2" before "10").

    goes_on: whether a process runs a sweep there, also while none of its jobs runs.
    """

    folders: tuple[Path, ...]
    runs: tuple[SweepRun, ...]
    unfinished: tuple[UnfinishedRun, ...]
    goes_on: bool = False

    @property
    def title(self) -> str:
        """The names of the folders."""
        return ", ".join(folder.resolve().name for folder in self.folders)


Folders = str | Path | Sequence[str | Path] | Sweep
"""A folder of runs, or several, or the runs in them that were found already."""


def find_runs(folders: Folders) -> Sweep:
    """All runs in and below a folder, or several; runs that were found already are returned.

    The settings of a run are its overrides (without `LABELS`) that are not the same in all runs, with their values in the config, so a
    run without an override of `agent.gamma` equals one that gives the default; for a config group the file that was chosen
    (`agent=ppo`: ppo). Runs with the same settings and seed but different names are told apart by their names. If runs with equal
    overrides have different configs, because a YAML file was edited in between, the config values that differ are settings, too: a mean
    over seeds must not mix them.

    Raises
    ------
    SweepError: if folders do not exist, all of which are named, or there is no run in or below any of them, finished or not.
    """
    if isinstance(folders, Sweep):
        return folders
    places = _places([folders] if isinstance(folders, (str, Path)) else folders)
    runs: list[SweepRun] = []
    unfinished: list[UnfinishedRun] = []
    sweeps: dict[Path, str] = {}
    for path, name in _named_folders(places, sweeps):
        found = _found(path, name)
        if isinstance(found, SweepRun):
            runs.append(found)
        else:
            unfinished.append(found)
    started = {run.folder for run in (*runs, *unfinished)}
    for place, prefix in sweeps.items():
        for job in planned_jobs(place, started):
            # a folder that sweep.json gives as an absolute path may be elsewhere
            name = f"{prefix}{job.folder.relative_to(place)}" if job.folder.is_relative_to(place) else str(job.folder)
            known = parse_overrides(job.overrides)
            unfinished.append(UnfinishedRun(name, job.folder.resolve(), known, {}, {}, None, job.overrides, State.NOT_STARTED, job.reason))
    if not runs and not unfinished:
        raise NoRuns(
            f"{', '.join(map(str, places))}: no run was found in or below it; a run has the files {CONFIG_NAME}, {OVERRIDES_NAME} and "
            f"{RESULT_NAME}"
        )
    finished = _with_differences(runs)
    keys = dict.fromkeys(key for run in finished for key in run.settings)
    # a value of which no run has finished is worth a name, too
    recorded = [run for run in (*runs, *unfinished) if run.overrides or run.config]
    given = dict.fromkeys(key for run in recorded for key in run.settings)
    keys |= dict.fromkeys(_differing([_at(run, given) for run in recorded]))
    goes_on = any(is_locked(place / SWEEP_LOCK) for place in sweeps)
    return Sweep(places, tuple(finished), tuple(replace(run, settings=_at(run, keys)) for run in unfinished), goes_on)


def _places(folders: Sequence[str | Path]) -> tuple[Path, ...]:
    """The folders to search, each once, however it is written.

    Raises
    ------
    SweepError: with all that do not exist.
    """
    places = {place.resolve(): place for place in reversed([Path(folder) for folder in folders])}
    if missing := [str(place) for place in reversed(places.values()) if not place.is_dir()]:
        raise SweepError(f"{', '.join(missing)}: there {'is no such folder' if len(missing) == 1 else 'are no such folders'}")
    return tuple(reversed(places.values()))


def _named_folders(places: Sequence[Path], sweeps: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """The folders of runs, each once, and what they are called: where several folders are searched, with the folder in front.

    sweeps: filled with the folders of sweeps that are found on the way, each once, with what the names of their runs begin with.
    """
    seen: set[Path] = set()
    called = [place.resolve().name for place in places]
    if len(set(called)) < len(places):  # a/0 and b/0
        called = [str(place) for place in places]
    for place, own in zip(places, called, strict=True):
        front = "" if len(places) == 1 else f"{own}/"
        for path, is_run in _folders(place):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            if is_run:
                yield path, own if path == place else f"{front}{path.relative_to(place)}"
            else:
                sweeps[path] = front if path == place else f"{front}{path.relative_to(place)}/"


def run_in(folder: Path) -> FoundRun:
    """The run in a folder, finished or not, without the settings in which others differ from it."""
    return _found(folder, folder.resolve().name)


def _found(path: Path, name: str) -> SweepRun | UnfinishedRun:
    """The run in a folder. Nothing that stands in its files ends the report on the others."""
    known = FoundRun(name, path.resolve(), {}, {}, {}, None, ())
    try:
        overrides = tuple(read_overrides(path))
        known = replace(known, settings=parse_overrides(overrides), overrides=overrides, choices=read_choices(path))
        values, label = _config_values(path)
        known = replace(known, config=values, label=label)
        return SweepRun(**vars(known), result=read_result(path))
    except UserError as error:
        reason = str(error)
    except (OSError, RecursionError) as error:
        reason = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})"
    state, reason = state_without_result(path, " ".join(reason.split()))
    return UnfinishedRun(**vars(known), state=state, reason=reason)


def _at(run: FoundRun, keys: Iterable[str]) -> Settings:
    """The values of a run at these keys, as far as they are known."""
    return {key: value for key in keys if (value := value_of(run, key)) is not None}


def parse_overrides(overrides: Sequence[str]) -> Settings:
    """Hydra overrides as `{key: value}`, without `LABELS`, and without settings that are the seed. A removal has the value "(removed)"."""
    settings = {}
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        # a sweep writes it with backslashes
        if not _is_label(key) and value.replace("\\", "").strip("'\"") != SEED:
            settings[key] = REMOVED if override.startswith("~") else value
    return settings


def _is_label(key: str) -> bool:
    return any(key == label or key.startswith((f"{label}.", f"{label}/")) for label in LABELS)


def _folders(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The folders of runs (with True) and of sweeps (with False) at or below `folder`. Folders inside a run, which may hold W&B's
    config.yaml, are not searched.
    """
    children = _children(folder)
    names = {child.name for child in children}
    if is_run_folder(names):
        yield folder, True
        return
    if SWEEP_NAME in names:
        yield folder, False
    for child in sorted(children, key=_natural):
        if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
            yield from _folders(child)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # somebody else's, or gone in the meantime
        return []


def _natural(path: Path) -> list[tuple[int, str]]:
    """A sort key that orders numbers in names by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _config_values(path: Path) -> tuple[Settings, str | None]:
    """A run's config as `{dotted key: value}`, without `LABELS`, and its `name`."""
    file = path / CONFIG_NAME
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(file.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        if tree is not None:
            require_written_out(tree, str(file))
        config = None if tree is None else loader.construct_document(tree)
    except FileNotFoundError:
        return {}, None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{file}: not a config: {str(error).splitlines()[0]}") from None
    values = dict(_flat(config if isinstance(config, dict) else {}, ""))
    name = values.get("name", "null")
    return {key: value for key, value in values.items() if not _is_label(key)}, None if name == "null" else name


def _flat(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "null" if value is None else str(value)


def _with_differences(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """The runs, with only the settings in which they differ."""
    given = dict.fromkeys(key for run in runs for key in run.settings)
    runs = [replace(run, settings=_at(run, given)) for run in runs]
    differing = _differing([run.settings for run in runs])
    runs = [replace(run, settings={key: run.settings[key] for key in differing if key in run.settings}) for run in runs]
    hidden: dict[str, None] = {}
    for alike in group_runs(runs).values():
        for key in _differing([run.config for run in alike]):
            # a value that equals the seed (`environment.seed: ${seed}`) is not a setting
            if any(run.config.get(key) != str(run.result["seed"]) for run in alike):
                hidden[key] = None
    runs = [replace(run, settings=run.settings | {key: run.config[key] for key in hidden if key in run.config}) for run in runs]
    if any(len({run.label for run in repeats}) > 1 for alike in group_runs(runs).values() for repeats in _by_seed(alike)):
        runs = [replace(run, settings={"name": run.label or UNNAMED, **run.settings}) for run in runs]
    return runs


def _by_seed(runs: Sequence[SweepRun]) -> Iterable[list[SweepRun]]:
    groups: dict[int, list[SweepRun]] = {}
    for run in runs:
        groups.setdefault(run.result["seed"], []).append(run)
    return groups.values()


def value_of(run: FoundRun, key: str) -> str | None:
    """The value of an override: the chosen file of a config group, or that in the config.

    Runs of earlier releases have no record of what was chosen: there it is the given choice, or without one the component's name.
    """
    if key in run.choices:
        return run.choices[key]
    if f"{key}.name" in run.config and key not in run.config:
        return run.settings.get(key, run.config[f"{key}.name"])
    return run.config.get(key, run.settings.get(key))


def _differing(settings: Sequence[Settings]) -> list[str]:
    """The keys whose values differ, in order of appearance. A setting that an earlier release did not have was null there."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if len({each.get(key, "null") for each in settings}) > 1]


def group_runs(runs: Sequence[SweepRun]) -> dict[tuple[tuple[str, str], ...], list[SweepRun]]:
    """The runs by their settings."""
    groups: dict[tuple[tuple[str, str], ...], list[SweepRun]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(run.settings.items())), []).append(run)
    return groups
