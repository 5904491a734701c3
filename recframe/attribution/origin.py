"""Where a component comes from: its plugin, distribution and version, and the mark that built components carry."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from recframe.components import Component
from recframe.plugin_loader import OWN_DISTRIBUTION, SESSION, registry

MARK = "_recframe_origin"
"""The attribute of a built component that holds its `Origin`. Copies, such as target networks of a tracker, have it, too."""


class Origin(NamedTuple):
    """A component, such as "reward=mood", and where it comes from. Fields are empty where they are unknown.

    `component` is also empty for code of a plugin that is none of its components, such as a callback.
    """

    component: str = ""
    plugin: str = ""
    distribution: str = ""
    version: str = ""

    @property
    def is_third_party(self) -> bool:
        """Whether it is known to be of another distribution than recframe."""
        return self.distribution not in ("", OWN_DISTRIBUTION)

    def entry(self) -> dict[str, str]:
        """The known fields by name, for failure.json."""
        return {name: value for name, value in self._asdict().items() if value}

    def __str__(self) -> str:
        if not self.plugin:
            return self.component
        if self.distribution == SESSION:
            return f"{self.component} of this session"
        of = f"{self.component} of " if self.component else ""
        return f"{of}plugin {self.plugin!r} ({f'{self.distribution} {self.version}'.strip()})"


def origin_of_component(component: Component) -> Origin:
    """The origin of a component; only its kind and name if no loaded plugin registered it."""
    name = f"{component.kind}={component.name}"
    try:
        found = registry().registered(component)
    except KeyError:
        return Origin(name)
    return Origin(name, found.plugin, found.distribution, found.version)


def mark(built: Any, origin: Origin | None) -> None:
    """Note on a built component where it comes from. An object that takes no attributes stays without a note."""
    if origin is not None:
        try:
            # a component may be a frozen dataclass
            object.__setattr__(built, MARK, origin)
        except (AttributeError, TypeError):
            return


def origin_of(built: Any) -> Origin | None:
    """The origin of a built component; None if it has no mark."""
    # without calling code of the component, such as its __getattr__
    found = inspect.getattr_static(built, MARK, None)
    return found if isinstance(found, Origin) else None


def component_name(built: Any) -> str:
    """A component in words: its origin, or its class if it has no mark. Words stay as they are."""
    return built if isinstance(built, str) else str(origin_of(built) or type(built).__name__)
