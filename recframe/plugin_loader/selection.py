"""Which plugins are loaded: the list in the environment variable `RECFRAME_PLUGINS`."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from recframe.plugin_loader.entries import ENVIRONMENT_VARIABLE, OWN_DISTRIBUTION, PluginFailure

INSTALL = f"Install it, or correct {ENVIRONMENT_VARIABLE}"


class PluginSelection:
    """A comma-separated list of names of entry points or distributions, spelt as pip allows it.

    These and the built-in plugins are loaded. An empty list loads only the built-in ones, None loads all. Names after a minus are left out;
    if the list has no others, all others are loaded.
    """

    def __init__(self, names: str | None) -> None:
        given = [] if names is None else [name.strip() for name in names.split(",") if name.strip()]
        self._without = {_key(name[1:]): name[1:] for name in given if name.startswith("-")}
        self._named = {_key(name): name for name in given if not name.startswith("-")}
        self._only = names is not None and not (self._without and not self._named)
        self._met: set[str] = set()
        self._built_in: set[str] = set()

    def chooses(self, plugin: str, distribution: str) -> bool:
        """Whether to load a plugin."""
        keys = {_key(plugin), _key(distribution)}
        self._met |= keys
        if distribution == OWN_DISTRIBUTION:
            self._built_in |= keys
            return True
        return not keys & set(self._without) and (not self._only or bool(keys & set(self._named)))

    def problems(self) -> list[PluginFailure]:
        """What is wrong with the list, once all installed plugins were asked for: names of no plugin, and built-in ones after a minus."""
        cause = f"{ENVIRONMENT_VARIABLE} names it and it is not installed"
        found = [PluginFailure(name, "", cause, INSTALL) for key, name in (self._named | self._without).items() if key not in self._met]
        cause = "built-in plugins are always loaded"
        wrong = [name for key, name in self._without.items() if key in self._built_in]
        found += [PluginFailure(name, "", cause, f"Correct {ENVIRONMENT_VARIABLE}", "the minus before") for name in wrong]
        return sorted(found, key=lambda failure: failure.plugin)


def _key(name: str) -> str:
    return canonicalize_name(name)
