"""The registry: the components, config folders and hooks of the loaded plugins, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy

from recframe.components import Component, ComponentError, Kind, LoggerComponent
from recframe.errors import UserError
from recframe.plugin_loader.config_folders import BUILT_IN, ConfigFolder
from recframe.plugin_loader.entries import (
    ENVIRONMENT_VARIABLE,
    OWN_DISTRIBUTION,
    SESSION,
    Claim,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
)
from recframe.plugin_loader.offered_before import offered_before
from recframe.plugin_loader.words import suggestion

KINDS = list(Kind)


class UnknownComponent(UserError, LookupError):
    """A config names a component that no loaded plugin registered; the message lists those that exist."""


@dataclass
class Registry:
    """Every component that the loaded plugins registered, their config folders and hooks, and the failures.

    plugins: the loaded plugins.   versions: the versions of their distributions.   not_chosen: plugins that RECFRAME_PLUGINS leaves out.
    """

    manager: pluggy.PluginManager
    failures: list[PluginFailure] = field(default_factory=list)
    config_folders: list[ConfigFolder] = field(default_factory=list)
    plugins: list[LoadedPlugin] = field(default_factory=list)
    not_chosen: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    _claims: dict[tuple[str, str], list[Claim]] = field(default_factory=dict)

    def third_party_offers(self) -> dict[str, dict[str, str]]:
        """The plugin, distribution and version behind each name that third-party plugins offer: "agent=mine", "experiment=mine"."""
        claims: list[Claim] = [*self.components(), *self.loggers()]
        names: list[tuple[str, str, Claim | ConfigFolder]] = [(one.component.kind, one.component.name, one) for one in claims]
        names += [(group, name, folder) for folder in self.config_folders for group, name in folder.files]
        return {
            f"{group}={name}": {"plugin": one.plugin, "distribution": one.distribution, "version": self.versions[one.distribution]}
            for group, name, one in names
            if one.distribution not in (OWN_DISTRIBUTION, SESSION)
        }

    @property
    def config_paths(self) -> list[str]:
        """The Hydra addresses of the plugins' config folders."""
        return [folder.address for folder in self.config_folders]

    def add(self, registered: Claim) -> None:
        """Add a component or a logger.

        A built-in component keeps its name: a later claim on it is left out. If two third-party plugins claim a (kind, name), neither is
        used, until one of them is not loaded.
        """
        component = registered.component
        name = (str(component.kind), component.name)
        claims = self._claims.setdefault(name, [])
        if claims and claims[0].distribution == OWN_DISTRIBUTION:
            self._refuse(registered, f"{_conflict([*claims, registered])}, and a built-in component keeps its name", "Rename it", name)
            return
        claims.append(registered)
        if len(claims) > 1:
            self._refuse(registered, _conflict(claims), f"{_narrowing(claims)} chooses between them", name)

    def add_for_session(self, registered: Registered) -> None:
        """Add a component that no plugin brings, until `remove_from_session`.

        Raises
        ------
        ComponentError: its name is taken, by a component or by a config file of its kind.
        """
        component = registered.component
        kind, name = component.kind, component.name
        claims = self._claims.get((kind, name), [])
        owner = _origin_in_words(claims[0]) if claims else None
        for folder in (BUILT_IN, *self.config_folders):
            if owner is None and (kind.value, name) in folder.files:
                owner = f"a preset of {folder.distribution}"
        if owner is not None:
            raise ComponentError(f"{kind} {name!r}: the name is taken by {owner}, which keeps it; choose another name")
        self._claims[kind, name] = [registered]

    def remove_from_session(self, component: Component) -> None:
        """Undo `add_for_session`."""
        self._claims.pop((component.kind, component.name), None)

    def _refuse(self, registered: Claim, cause: str, fix: str, claim: tuple[str, str]) -> None:
        part = f"{registered.component.kind} {registered.component.name!r} of plugin"
        self.failures.append(PluginFailure(registered.plugin, registered.distribution, cause, fix, part, claim))

    def add_config_folder(self, folder: ConfigFolder) -> None:
        """Add a plugin's folder of configs. It is left out if one of its files has the name of a built-in or of another plugin's config."""
        for group, name in sorted(folder.files):
            if owner := self._owner(group, name, folder):
                cause = f"its file {group + '/' if group else ''}{name}.yaml has the name of {owner}, which keeps it"
                fix = f"Rename the file in {folder.address}"
                part = "config folder of plugin"
                self.failures.append(PluginFailure(folder.plugin, folder.distribution, cause, fix, part, (group, name)))
                return
        self.config_folders.append(folder)

    def config_owner(self, group: str, name: str) -> str | None:
        """Whose config has this name, in words; None if no config has it."""
        if (group, name) in BUILT_IN.files:
            return f"a config of {OWN_DISTRIBUTION}"
        for other in self.config_folders:
            if (group, name) in other.files:
                return f"a config of {other.distribution} (plugin {other.plugin!r})"
        return None

    def _owner(self, group: str, name: str, folder: ConfigFolder) -> str | None:
        """Whose config or component has the name of a config of `folder`, in words; None if it is free."""
        if owner := self.config_owner(group, name):
            return owner
        for claim in self._claims.get((group, name), []):
            # a plugin may complete its own component's config in YAML
            if claim.distribution != folder.distribution:
                return f"the {group} of {claim.distribution} (plugin {claim.plugin!r})"
        return None

    def refused_claims(self, kind: str, name: str) -> list[PluginFailure]:
        """The plugins that were left out because they claimed this name of a component, a config or a command."""
        return [failure for failure in self.failures if failure.claim == (kind, name)]

    def components(self, kind: Kind | None = None) -> list[Registered]:
        """The usable components, of one kind or all, ordered by kind and name."""
        usable = [found[0] for found in self._claims.values() if len(found) == 1]
        components = [found for found in usable if isinstance(found, Registered) and kind in (None, found.component.kind)]
        return sorted(components, key=lambda found: (KINDS.index(found.component.kind), found.component.name))

    def loggers(self) -> list[RegisteredLogger]:
        """The usable loggers: the built-in ones, then those of plugins."""
        return [found[0] for found in self._claims.values() if len(found) == 1 and isinstance(found[0], RegisteredLogger)]

    def logger(self, name: str) -> RegisteredLogger:
        """The logger of that name.

        Raises
        ------
        UnknownComponent: if none has this name, or if two plugins claim it.
        """
        found = self._only_claim(LoggerComponent.kind, name, [one.component.name for one in self.loggers()])
        assert isinstance(found, RegisteredLogger)
        return found

    def claims(self) -> list[Registered]:
        """Every registered component, also those that are not usable because two third-party plugins claim their name."""
        return [one for claims in self._claims.values() for one in claims if isinstance(one, Registered)]

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
        found = self._only_claim(kind, name, self.names(kind))
        assert isinstance(found, Registered)
        return found.component

    def _only_claim(self, kind: str, name: str, known: Sequence[str]) -> Claim:
        claims = self._claims.get((kind, name), [])
        if len(claims) > 1:
            raise UnknownComponent(f"{_conflict(claims)}; {_narrowing(claims)} chooses between them")
        if claims:
            return claims[0]
        raise UnknownComponent(f"no {kind} is called {name!r}{suggestion(name, known)}{self.whence(kind, name)}")

    def registered(self, component: Component) -> Registered:
        """Where a usable component came from."""
        found = self._claims[component.kind, component.name][0]
        assert isinstance(found, Registered)
        return found

    def callers(self, hook: str) -> Iterator[tuple[str, str, pluggy.HookCaller]]:
        """(plugin, distribution, caller) of each plugin that implements a hook, for calling them one by one."""
        implementing = {found.plugin_name for found in getattr(self.manager.hook, hook).get_hookimpls()}
        for name, plugin in self.manager.list_name_plugin():
            if name in implementing:
                distribution, _, point = name.rpartition(":")
                yield point, distribution, self.caller(hook, plugin)

    def caller(self, hook: str, plugin: Any) -> pluggy.HookCaller:
        """What calls a hook of this plugin alone."""
        return self.manager.subset_hook_caller(hook, [other for other in self.manager.get_plugins() if other is not plugin])

    def whence(self, group: str, name: str) -> str:
        """Sentences for the message about a missing component, logger or config: which plugin had it before, and which were left out."""
        return offered_before(group, name, self.versions) + self.left_out()

    def left_out(self) -> str:
        """Sentences on the plugins that were left out, for the message about a name that is missing; '' if none was."""
        chosen = f". Note: {self.choice}" if self.not_chosen else ""
        return chosen + "".join(f". Note: {failure}" for failure in self.failures)

    @property
    def choice(self) -> str:
        """In words, which plugins the person leaves out; '' if none."""
        return f"{ENVIRONMENT_VARIABLE} leaves out {', '.join(self.not_chosen)}" if self.not_chosen else ""


def _conflict(claims: Sequence[Claim]) -> str:
    kind, name = claims[0].component.kind, claims[0].component.name
    owners = " and ".join(_origin_in_words(claim) for claim in claims)
    return f"{kind} {name!r} is claimed by {owners}"


def _origin_in_words(claim: Claim) -> str:
    if claim.distribution == SESSION:
        return "another class that is registered in this session"
    return f"{claim.distribution} {claim.version} (plugin {claim.plugin!r})"


def _narrowing(claims: Sequence[Claim]) -> str:
    last = claims[-1]
    # the plugins of one distribution may have the names of another's
    return f"Uninstalling one, or {ENVIRONMENT_VARIABLE}=-{last.plugin if last.plugin != claims[0].plugin else last.distribution},"
