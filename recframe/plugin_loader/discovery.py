"""Discovery of plugins: each entry point is loaded separately, so that a broken plugin stops only the runs that use it."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

import pluggy

from recframe import __version__, hookspecs
from recframe.built_in_loggers import BUILT_IN_LOGGERS
from recframe.components import Component, ComponentError, LoggerComponent
from recframe.errors import UserError
from recframe.plugin_loader.checks import check_hooks, requirement_problem
from recframe.plugin_loader.config_folders import ConfigFolder, config_addresses
from recframe.plugin_loader.entries import (
    ENVIRONMENT_VARIABLE,
    OWN_DISTRIBUTION,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
)
from recframe.plugin_loader.interface_version import HookManager, stated_version, version_problem, warn_of_old_hooks
from recframe.plugin_loader.registry import Registry
from recframe.plugin_loader.schemas import check_schema
from recframe.plugin_loader.selection import PluginSelection


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
    only: which of them, as `RECFRAME_PLUGINS` says it; see `PluginSelection`.
    """
    found = Registry(HookManager())
    for logger in BUILT_IN_LOGGERS:
        found.add(RegisteredLogger(logger, "loggers", OWN_DISTRIBUTION, __version__))
    selection = PluginSelection(only)
    for origin in sorted(map(_Origin.of, points), key=lambda o: (o.distribution != OWN_DISTRIBUTION, o.distribution, o.point.name)):
        if not selection.chooses(origin.point.name, origin.distribution):
            found.not_chosen.append(origin.point.name)
            continue
        # what a plugin prints when it is imported or registers must not get into the output of a command
        with contextlib.redirect_stdout(sys.stderr):
            _load(origin, found)
    found.failures += selection.problems()
    return found


class _Offered(NamedTuple):
    """What a plugin offers, checked: its hooks by name, components, loggers and folders of configs."""

    hooks: tuple[str, ...]
    components: Sequence[Component]
    loggers: Sequence[LoggerComponent]
    folders: Sequence[ConfigFolder]


def _load(origin: _Origin, into: Registry) -> None:
    """Load one plugin into the registry, completely or not at all."""
    point, distribution, version, _ = origin

    def fail(cause: str, fix: str) -> None:
        into.failures.append(PluginFailure(point.name, distribution, cause, fix))

    if problem := requirement_problem(origin.requires):
        return fail(problem, f"Upgrade recframe, or install another version of {distribution}")
    name, complete = f"{distribution}:{point.name}", False
    try:
        plugin = _module_of(point, into)
        stated = stated_version(plugin)
        if refused := version_problem(stated, distribution):
            return fail(*refused)
        check_hooks(plugin)
        warn_of_old_hooks(plugin, point.name)
        into.manager.register(plugin, name=name)
        offered = _offered(plugin, origin, into)
        complete = True
    except ModuleNotFoundError as error:
        return fail(*_missing_module(error.name or "", origin))
    except pluggy.PluginValidationError as error:
        return fail(" ".join(str(error).split()), f"Fix the hook in {point.value}; recframe.hookspecs has the signatures")
    except UserError as error:
        return fail(str(error), f"Fix {point.value}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a third-party module does at import, such as SystemExit, the others stay usable
        return fail(raised(error), f"Report it to the authors of {distribution}")
    finally:
        if not complete and into.manager.has_plugin(name):
            into.manager.unregister(name=name)
    into.versions[distribution] = version
    into.plugins.append(LoadedPlugin(point.name, distribution, version, stated, offered.hooks))
    for component in offered.components:
        into.add(Registered(component, point.name, distribution, version))
    for logger in offered.loggers:
        into.add(RegisteredLogger(logger, point.name, distribution, version))
    for folder in offered.folders:
        into.add_config_folder(folder)


def _offered(plugin: Any, origin: _Origin, found: Registry) -> _Offered:
    """What a plugin offers, by its hooks for that.

    Raises
    ------
    Exception: whatever the plugin raises; TypeError, ComponentError or NotADirectoryError for what cannot be used.
    """
    components: list[Component] = []
    loggers: list[LoggerComponent] = []
    # the built-in ones are checked by the tests: it takes a third of a second
    check = _unchecked if origin.distribution == OWN_DISTRIBUTION else check_schema

    def register(component: Component) -> None:
        if not isinstance(component, Component):
            raise ComponentError(f"register() takes a recframe.components.Component, not {type(component).__name__}")
        if component.implementation is not None:
            raise ComponentError(
                f"{component.kind} {component.name!r}: a plugin names its factory as {component.factory!r}, in quotes, so that it is "
                "imported only by the runs that use it"
            )
        if any((component.kind, component.name) == (other.kind, other.name) for other in components):
            raise ComponentError(f"it registers two components called {component.name!r} of the kind {component.kind}: rename one")
        check(component)
        components.append(component)

    def register_logger(logger: LoggerComponent) -> None:
        if not isinstance(logger, LoggerComponent):
            raise ComponentError(f"register() takes a recframe.components.LoggerComponent, not {type(logger).__name__}")
        if any(logger.name == other.name for other in loggers):
            raise ComponentError(f"it registers two loggers called {logger.name!r}: rename one")
        check(logger)
        loggers.append(logger)

    hooks = tuple(caller.name for caller in found.manager.get_hookcallers(plugin) or ())
    for hook, take in (("recframe_register_components", register), ("recframe_register_loggers", register_logger)):
        if hook in hooks:
            # a generator or a coroutine would never run, and a list never be read
            for returned in found.caller(hook, plugin)(register=take):
                if inspect.iscoroutine(returned):
                    returned.close()
                raise ComponentError(f"{hook} must return nothing, not {type(returned).__name__}: call register(...) for each instead")
    returned = found.caller("recframe_config_paths", plugin)() if "recframe_config_paths" in hooks else []
    addresses = [address for paths in returned for address in config_addresses(paths)]
    folders = [ConfigFolder(address, origin.point.name, origin.distribution) for address in addresses]
    # the names of the files are read here, where an error leaves the plugin out
    _ = [folder.files for folder in folders]
    return _Offered(hooks, components, loggers, folders)


def _unchecked(component: Component | LoggerComponent) -> None:
    pass


def _missing_module(missing: str, origin: _Origin) -> tuple[str, str]:
    """The cause and the fix of a module that was not found."""
    point, distribution = origin.point, origin.distribution
    if missing and point.module.startswith(missing):
        return f"its entry point names {point.value!r}, but no module {missing!r} was found", f"Reinstall or fix {distribution}"
    if missing.partition(".")[0] == point.module.partition(".")[0]:
        return f"it imports its own module {missing!r}, which was not found", f"Reinstall or fix {distribution}"
    return f"it needs the module {missing!r}, which is not installed", f"pip install what {distribution} needs, or uninstall it"


def _module_of(point: EntryPoint, into: Registry) -> Any:
    """The module that an entry point names, imported.

    Raises
    ------
    ComponentError: it names something else, a module that is a plugin already, or one whose hooks would not be called.
    """
    named = f"its entry point names {point.value!r}"
    if not EntryPoint.pattern.match(point.value):
        raise ComponentError(f"{named}, which is no name of a module such as 'my_package.plugin'")
    try:
        plugin = point.load()
    except AttributeError as error:
        if point.attr and error.name == point.attr.rpartition(".")[2]:
            raise ComponentError(f"{named}, and {error}: name the module itself, {point.module!r}") from error
        raise
    if not inspect.ismodule(plugin):
        raise ComponentError(f"{named}, which is of type {type(plugin).__name__} and no module: name the module that has the hooks")
    if other := into.manager.get_name(plugin):
        raise ComponentError(f"{named}, which is already the plugin {other.rpartition(':')[2]!r} of {other.rpartition(':')[0]}")
    return plugin


def raised(error: BaseException) -> str:
    """The exception that a plugin raised, with file and line."""
    if isinstance(error, SyntaxError):  # the text has both
        return f"{type(error).__name__}: {error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({last.filename}:{last.lineno})"
