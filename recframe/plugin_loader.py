"""Discovery of plugins: each entry point is loaded separately, so that a broken plugin stops only the runs that use it."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy
from omegaconf import OmegaConf

from recframe import hookspecs
from recframe.components import CORE_SETTINGS, Component, ComponentError, Kind, node
from recframe.errors import UserError

OWN_DISTRIBUTION = "recframe"
ENVIRONMENT_VARIABLE = "RECFRAME_PLUGINS"


class UnknownComponent(UserError, LookupError):
    """A config names a component that no loaded plugin registered; the message lists those that exist."""


@dataclass(frozen=True)
class Registered:
    """A component and the plugin that registered it."""

    component: Component
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True)
class PluginFailure:
    """A plugin, or a part of one, that could not be loaded: the cause and the fix. `distribution` is empty if none is installed."""

    plugin: str
    distribution: str
    cause: str
    fix: str
    part: str = "plugin"

    def __str__(self) -> str:
        origin = f" of {self.distribution}" if self.distribution else ""
        return f"{self.part} {self.plugin!r}{origin} was left out: {self.cause}. {self.fix}"


@dataclass
class Registry:
    """Every component that the loaded plugins registered, their config folders and hooks, and the failures."""

    manager: pluggy.PluginManager
    failures: list[PluginFailure] = field(default_factory=list)
    config_paths: list[str] = field(default_factory=list)
    _claims: dict[tuple[Kind, str], list[Registered]] = field(default_factory=dict)

    def add(self, registered: Registered) -> None:
        """Add a component. A second claim on its (kind, name) makes both unusable until one is left out."""
        component = registered.component
        claims = self._claims.setdefault((component.kind, component.name), [])
        claims.append(registered)
        if len(claims) > 1:
            self.failures.append(
                PluginFailure(registered.plugin, registered.distribution, _conflict(claims), f"{_narrowing(claims)} chooses between them")
            )

    def components(self, kind: Kind | None = None) -> list[Registered]:
        """The usable components, of one kind or all, ordered by kind and name."""
        claims = sorted(self._claims.items(), key=lambda item: (list(Kind).index(item[0][0]), item[0][1]))
        return [found[0] for (of_kind, _), found in claims if len(found) == 1 and kind in (None, of_kind)]

    def names(self, kind: Kind) -> list[str]:
        """The names of one kind's usable components."""
        return [registered.component.name for registered in self.components(kind)]

    def get(self, kind: Kind | str, name: str) -> Component:
        """The component of that kind and name.

        Raises
        ------
        UnknownComponent: if none has this name, or if two plugins claim it.
        """
        kind = Kind(kind)
        claims = self._claims.get((kind, name), [])
        if len(claims) > 1:
            raise UnknownComponent(f"{_conflict(claims)}; {_narrowing(claims)} chooses between them")
        if claims:
            return claims[0].component
        raise UnknownComponent(f"no {kind} is called {name!r}{suggestion(name, self.names(kind))}{self._left_out()}")

    def callers(self, hook: str) -> Iterator[tuple[str, str, pluggy.HookCaller]]:
        """(plugin, distribution, caller) of each plugin that implements a hook, for calling them one by one."""
        plugins = self.manager.list_name_plugin()
        for name, plugin in plugins:
            caller = self.manager.subset_hook_caller(hook, [other for _, other in plugins if other is not plugin])
            if caller.get_hookimpls():
                distribution, _, point = name.rpartition(":")
                yield point, distribution, caller

    def _left_out(self) -> str:
        return "".join(f". Note: {failure}" for failure in self.failures)


def suggestion(wrong: str, known: Sequence[str]) -> str:
    """`". Did you mean 'x'? There are: x, y"`; without the question if no known word is similar."""
    close = closest(wrong, known)
    meant = f". Did you mean {close!r}?" if close else "."
    return f"{meant} There are: {', '.join(known) or 'none'}"


def closest(wrong: str, known: Sequence[str]) -> str | None:
    """The known word that is most similar, in upper or lower case, or None if none is similar."""
    spelt = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(str(wrong).casefold(), spelt, n=1)
    return spelt[close[0]] if close else None


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
        loads only the built-in ones, None loads all.
    """
    manager = pluggy.PluginManager("recframe")
    manager.add_hookspecs(hookspecs)
    found = Registry(manager)
    wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()}
    missing = set(wanted or ())
    for point in sorted(points, key=lambda p: (_distribution(p)[0] != OWN_DISTRIBUTION, _distribution(p)[0], p.name)):
        names = {point.name, _distribution(point)[0]}
        missing -= names
        if wanted is None or OWN_DISTRIBUTION in names or wanted & names:
            _load(point, found)
    for name in sorted(missing):
        cause, fix = f"{ENVIRONMENT_VARIABLE} asks for it and it is not installed", f"Install it, or correct {ENVIRONMENT_VARIABLE}"
        found.failures.append(PluginFailure(name, "", cause, fix))
    return found


def _load(point: EntryPoint, into: Registry) -> None:
    """Load one plugin into the registry, completely or not at all."""
    distribution, version = _distribution(point)
    components: list[Component] = []

    def register(component: Component) -> None:
        if not isinstance(component, Component):
            raise TypeError(f"register() takes a recframe.components.Component, not {type(component).__name__}")
        components.append(component)

    def fail(cause: str, fix: str) -> None:
        into.failures.append(PluginFailure(point.name, distribution, cause, fix))

    try:
        plugin = point.load()
        problem = _hook_problem(plugin)
        if problem:
            fail(problem, f"Fix {point.value}")
            return
        trial = pluggy.PluginManager("recframe")
        trial.add_hookspecs(hookspecs)
        trial.register(plugin, name=point.name)
        trial.check_pending()
        trial.hook.recframe_register_components(register=register)
        for component in components:
            _check_schema(component)
        config_paths = [address for paths in trial.hook.recframe_config_paths() for address in _addresses(paths)]
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
        into.manager.register(plugin, name=f"{distribution}:{point.name}")
        into.config_paths += config_paths
        for component in components:
            into.add(Registered(component, point.name, distribution, version))


def raised(error: BaseException) -> str:
    """The exception that a plugin raised, with file and line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({last.filename}:{last.lineno})"


def _check_schema(component: Component) -> None:
    """Refuse a config dataclass that OmegaConf cannot represent, or that lacks a field that the core reads."""
    where = f"{component.kind} {component.name!r}: {component.config.__name__}"
    try:
        OmegaConf.structured(node(component))
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ComponentError(f"{where} cannot be a config: {lines[0]}") from error
    needed = CORE_SETTINGS.get(component.kind)
    if needed and not any(f.name == needed and f.type in (int, "int") for f in dataclasses.fields(component.config)):
        raise ComponentError(f"{where} needs a field '{needed}: int', which the core reads")


def _addresses(paths: Any) -> list[str]:
    """Hydra addresses of the config folders that a plugin's hook returned."""
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, (str, Path)) for path in paths):
        raise TypeError(f"recframe_config_paths returns a list of folders, not {paths!r}")
    for path in paths:
        if "://" not in str(path) and not Path(path).is_dir():
            raise NotADirectoryError(f"recframe_config_paths names {str(path)!r}, which is not a folder")
    return [str(path) if "://" in str(path) else f"file://{Path(path).resolve()}" for path in paths]


def _hook_problem(plugin: Any) -> str:
    """The problem with the hooks that a module declares, if pluggy reports nothing or an unclear error; otherwise ''."""
    known = [name for name in vars(hookspecs) if name.startswith("recframe_")]
    hooks = {name: value for name, value in vars(plugin).items() if name.startswith("recframe_") and inspect.isroutine(value)}
    marked = {name: value for name, value in vars(plugin).items() if hasattr(value, "recframe_impl")}
    for name in marked:
        if name not in known:
            return f"{name!r} is not a hook{suggestion(name, known)}"
    for name in hooks:
        if name in known and name not in marked:
            return f"{name!r} lacks the decorator @hookimpl, so it would never be called"
    return "" if marked else f"it implements no hook; the hooks are {', '.join(known)}"


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist is not None else ("an unknown distribution", "?")


def _conflict(claims: list[Registered]) -> str:
    kind, name = claims[0].component.kind, claims[0].component.name
    owners = " and ".join(f"{claim.distribution} {claim.version} (plugin {claim.plugin!r})" for claim in claims)
    return f"{kind} {name!r} is claimed by {owners}"


def _narrowing(claims: list[Registered]) -> str:
    third_party = [claim.plugin for claim in claims if claim.distribution != OWN_DISTRIBUTION]
    keep = "" if len(third_party) < len(claims) else third_party[0]
    return f"Uninstalling one, or {ENVIRONMENT_VARIABLE}={keep}"
