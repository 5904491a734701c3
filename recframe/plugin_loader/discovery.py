"""Discovery of plugins: each entry point is loaded separately, so that a broken plugin stops only the runs that use it."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

import pluggy
from omegaconf import OmegaConf
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from recframe import __version__, hookspecs
from recframe.built_in_loggers import BUILT_IN_LOGGERS
from recframe.components import CORE_SETTINGS, Component, ComponentError, LoggerComponent
from recframe.plugin_loader.config_folders import ConfigFolder, config_addresses
from recframe.plugin_loader.interface_version import RENAMED_HOOKS, HookManager, stated_version, version_problem, warn_of_old_hooks
from recframe.plugin_loader.registry import (
    ENVIRONMENT_VARIABLE,
    OWN_DISTRIBUTION,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
    Registry,
)
from recframe.plugin_loader.words import suggestion


class _Origin(NamedTuple):
    """An entry point, and what its distribution says of itself. Reading that takes time, so it is done once."""

    point: EntryPoint
    distribution: str
    version: str
    requires: Sequence[str]

    @classmethod
    def of(cls, point: EntryPoint) -> _Origin:
        if point.dist is None:
            return cls(point, "an unknown distribution", "?", ())
        about = point.dist.metadata
        return cls(point, about["Name"], about["Version"], about.get_all("Requires-Dist") or ())


@cache
def registry() -> Registry:
    """The process's registry: the installed plugins, narrowed by `RECFRAME_PLUGINS`."""
    return discover(entry_points(group=hookspecs.ENTRY_POINT_GROUP), os.environ.get(ENVIRONMENT_VARIABLE))


def discover(points: Iterable[EntryPoint], only: str | None = None) -> Registry:
    """Load `points` one by one.

    Parameters
    ----------
    points: entry points of the group `recframe`.
    only: a comma-separated list of entry-point or distribution names; these and the built-in plugins are loaded. An empty string
        loads only the built-in ones, None loads all. Names after a minus are left out; if the list has no others, all others are loaded.
    """
    found = Registry(HookManager())
    for logger in BUILT_IN_LOGGERS:
        found.add(RegisteredLogger(logger, "loggers", OWN_DISTRIBUTION, __version__))
    names = [] if only is None else [name.strip() for name in only.split(",") if name.strip()]
    without = {name.removeprefix("-") for name in names if name.startswith("-")}
    named = set(names) - {f"-{name}" for name in without}
    wanted = None if only is None or (without and not named) else named
    missing = named | without
    for origin in sorted(map(_Origin.of, points), key=lambda o: (o.distribution != OWN_DISTRIBUTION, o.distribution, o.point.name)):
        own_names = {origin.point.name, origin.distribution}
        missing -= own_names
        if OWN_DISTRIBUTION in own_names or ((wanted is None or wanted & own_names) and not without & own_names):
            # what a plugin prints when it is imported or registers must not get into the output of a command
            with contextlib.redirect_stdout(sys.stderr):
                _load(origin, found)
    for name in sorted(missing):
        cause, fix = f"{ENVIRONMENT_VARIABLE} names it and it is not installed", f"Install it, or correct {ENVIRONMENT_VARIABLE}"
        found.failures.append(PluginFailure(name, "", cause, fix))
    return found


def _load(origin: _Origin, into: Registry) -> None:
    """Load one plugin into the registry, completely or not at all."""
    point, distribution, version, _ = origin
    manager, name = into.manager, f"{distribution}:{point.name}"
    components: list[Component] = []
    loggers: list[LoggerComponent] = []

    def register(component: Component) -> None:
        if not isinstance(component, Component):
            raise TypeError(f"register() takes a recframe.components.Component, not {type(component).__name__}")
        components.append(component)

    def register_logger(logger: LoggerComponent) -> None:
        if not isinstance(logger, LoggerComponent):
            raise TypeError(f"register() takes a recframe.components.LoggerComponent, not {type(logger).__name__}")
        loggers.append(logger)

    def fail(cause: str, fix: str) -> None:
        if manager.has_plugin(name):
            manager.unregister(name=name)
        into.failures.append(PluginFailure(point.name, distribution, cause, fix))

    if problem := _requirement_problem(origin.requires):
        return fail(problem, f"Upgrade recframe, or install another version of {distribution}")
    try:
        plugin = point.load()
        stated = stated_version(plugin)
        if refused := version_problem(stated, distribution):
            return fail(*refused)
        problem = _hook_problem(plugin)
        if problem:
            fail(problem, f"Fix {point.value}")
            return
        warn_of_old_hooks(plugin, point.name)
        manager.register(plugin, name=name)
        hooks = tuple(caller.name for caller in manager.get_hookcallers(plugin) or ())
        for register_hook, take in (("recframe_register_components", register), ("recframe_register_loggers", register_logger)):
            if register_hook in hooks:
                into.caller(register_hook, plugin)(register=take)
        for component in components:
            _check_schema(component)
        for logger in loggers:
            _check_config(logger)
        returned = into.caller("recframe_config_paths", plugin)() if "recframe_config_paths" in hooks else []
        addresses = [address for paths in returned for address in config_addresses(paths)]
        folders = [ConfigFolder(address, point.name, distribution) for address in addresses]
        _ = [folder.files for folder in folders]
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and point.module.startswith(missing):
            fail(f"its entry point names {point.value!r}, but no module {missing!r} was found", f"Reinstall or fix {distribution}")
        elif missing.partition(".")[0] == point.module.partition(".")[0]:
            fail(f"it imports its own module {missing!r}, which was not found", f"Reinstall or fix {distribution}")
        else:
            fail(f"it needs the module {missing!r}, which is not installed", f"pip install what {distribution} needs, or uninstall it")
    except pluggy.PluginValidationError as error:
        fail(" ".join(str(error).split()), f"Fix the hook in {point.value}; recframe.hookspecs has the signatures")
    except (Exception, SystemExit) as error:  # whatever a third-party module does at import, the others stay usable
        fail(raised(error), f"Report it to the authors of {distribution}")
    else:
        into.versions[distribution] = version
        into.plugins.append(LoadedPlugin(point.name, distribution, version, stated, hooks))
        for component in components:
            into.add(Registered(component, point.name, distribution, version))
        for logger in loggers:
            into.add(RegisteredLogger(logger, point.name, distribution, version))
        for folder in folders:
            into.add_config_folder(folder)


def raised(error: BaseException) -> str:
    """The exception that a plugin raised, with file and line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({last.filename}:{last.lineno})"


def _check_schema(component: Component) -> None:
    """Refuse a config dataclass that OmegaConf cannot represent, or that lacks a field that the core reads."""
    _check_config(component)
    where = f"{component.kind} {component.name!r}: {component.config.__name__}"
    needed = CORE_SETTINGS.get(component.kind)
    if needed and not any(f.name == needed and f.type in (int, "int") for f in dataclasses.fields(component.config)):
        raise ComponentError(f"{where} needs a field '{needed}: int', which the core reads")


def _check_config(component: Component | LoggerComponent) -> None:
    """Refuse a config dataclass that OmegaConf cannot represent."""
    try:
        OmegaConf.structured(component.config)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        where = f"{component.kind} {component.name!r}: {component.config.__name__}"
        raise ComponentError(f"{where} cannot be a config: {lines[0]}") from error


def _hook_problem(plugin: Any) -> str:
    """The problem with the hooks that a module declares, if pluggy reports nothing or an unclear error; otherwise ''."""
    known = [name for name in vars(hookspecs) if name.startswith("recframe_")]
    accepted = {*known, *RENAMED_HOOKS}
    hooks = {name: value for name, value in vars(plugin).items() if name.startswith("recframe_") and inspect.isroutine(value)}
    marked = {name: value for name, value in vars(plugin).items() if hasattr(value, "recframe_impl")}
    for name in marked:
        if name not in accepted:
            return f"{name!r} is not a hook{suggestion(name, known)}"
    for name in hooks:
        if name in accepted and name not in marked:
            return f"{name!r} lacks the decorator @hookimpl, so it would never be called"
    return "" if marked else f"it implements no hook; the hooks are {', '.join(known)}"


def _requirement_problem(requires: Iterable[str]) -> str:
    """What the distribution requires of recframe and this one is not, or ''."""
    for text in requires:
        if OWN_DISTRIBUTION not in text.lower():
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        is_own = canonicalize_name(requirement.name) == OWN_DISTRIBUTION
        if is_own and applies and not requirement.specifier.contains(__version__, prereleases=True):
            return f"it requires recframe{requirement.specifier}, and this is recframe {__version__}"
    return ""
