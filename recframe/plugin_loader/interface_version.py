"""The version of the plugin interface: which ones this recframe knows, which one a plugin states, and hooks that were renamed.

The policy is in docs/guide/interface_versions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pluggy

from recframe import hookspecs
from recframe.deprecations import Renamed, warn_renamed

STATEMENT = "recframe_interface"
"""The name in a plugin's module under which it states the version that it was written for."""


class Supported(NamedTuple):
    """The versions of the interface that this release knows, from `oldest` to `newest`.

    ended: for each version that is no longer supported, the first release of recframe without it.
    """

    oldest: int
    newest: int
    ended: Mapping[int, str]


SUPPORTED = Supported(oldest=1, newest=1, ended={})

RENAMED_HOOKS: Mapping[str, Renamed] = {}
"""Old names of hooks, which plugins may still use."""


def stated_version(plugin: Any) -> Any:
    """The version that a plugin states; 1 if it states none."""
    return getattr(plugin, STATEMENT, 1)


def version_problem(stated: Any, distribution: str, supported: Supported | None = None) -> tuple[str, str] | None:
    """Why a plugin that states this version cannot be used, and the fix; None if it can."""
    known = supported or SUPPORTED
    if type(stated) is not int or stated < 1:
        return f"its {STATEMENT} is {stated!r}; it is a whole number such as {known.newest}", f"Correct it in {distribution}"
    versions = f"version {known.newest}" if known.oldest == known.newest else f"versions {known.oldest} to {known.newest}"
    if stated > known.newest:
        cause = f"it is written for version {stated} of the plugin interface, and this recframe knows {versions}"
        return cause, f"Upgrade recframe, or install an older version of {distribution}"
    if stated < known.oldest:
        release = known.ended[stated]
        cause = f"it is written for version {stated} of the plugin interface, which recframe {release} has ended; this one knows {versions}"
        return cause, f"Upgrade {distribution}, or install 'recframe<{release}'"
    return None


class HookManager(pluggy.PluginManager):
    """A pluggy manager of recframe's hooks, which knows their old names, too."""

    def __init__(self) -> None:
        super().__init__("recframe")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Pluggy's options of a function: one with the old name of a hook implements the hook."""
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None or options["specname"] or name not in RENAMED_HOOKS:
            return options
        return {**options, "specname": RENAMED_HOOKS[name].new}


def warn_of_old_hooks(plugin: Any, name: str) -> None:
    """Warn once if a plugin implements a hook under its old name."""
    for old, renamed in RENAMED_HOOKS.items():
        if hasattr(getattr(plugin, old, None), "recframe_impl"):
            warn_renamed(f"the hook {old}", renamed, f"plugin {name!r}")
