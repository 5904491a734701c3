"""The names of a new plugin: of its distribution, package, components and classes, and why a name cannot be used."""

from __future__ import annotations

import contextlib
import keyword
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec

from packaging.utils import InvalidName, canonicalize_name

from recframe.components import Kind
from recframe.errors import UserError
from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_loader import OWN_DISTRIBUTION, Registry

PREFIX = "recframe_"
"""The beginning of a package's name that its components do not have."""

PRESETS = {
    Kind.DATASET: "liked",
    Kind.ENCODER: "wide",
    Kind.STATE_TRACKER: "long",
    Kind.AGENT: "curious",
    Kind.ENVIRONMENT: "demanding",
}
"""The ends of the names of the template's presets. A reward has none: its settings are chosen with its weight."""


class NameRefused(UserError, ValueError):
    """A name that a new plugin cannot have; the message says why, and what would be right."""


@dataclass(frozen=True)
class PluginNames:
    """The names of a new plugin, all made from that of its distribution, such as "recframe-patience".

    distribution: as given.   package: what is imported, "recframe_patience".   short: the components and the entry point, "patience".
    prefix: the beginning of its classes' names, "Patience".

    Raises
    ------
    NameRefused: no package can have the name.
    """

    distribution: str

    def __post_init__(self) -> None:
        try:
            canonicalize_name(self.distribution, validate=True)
        except InvalidName:
            example = "letters, digits and - are right, as in recframe-patience"
            raise NameRefused(f"{self.distribution!r} is not a name for a package; {example}") from None
        for name in (self.package, self.short):
            problem = _problem_of_module(name)
            if problem:
                raise NameRefused(f"{self.distribution!r} is not a name for a plugin: {problem}; a name such as recframe-patience is right")

    @property
    def package(self) -> str:
        """The name of the package that is imported."""
        return canonicalize_name(self.distribution).replace("-", "_")

    @property
    def short(self) -> str:
        """The name of the components and of the entry point."""
        return self.package.removeprefix(PREFIX)

    @property
    def prefix(self) -> str:
        """The beginning of the names of classes."""
        return "".join(part.capitalize() for part in self.short.split("_"))

    def require_free(self, kinds: Sequence[Kind], registry: Registry) -> None:
        """Refuse a name that an installed package, plugin, component or config has.

        Raises
        ------
        NameRefused: with who has the name.
        """
        owner = next(self._owners(kinds, registry), None)
        if owner is not None:
            raise NameRefused(f"the name {self.distribution!r} is taken: {owner}; choose another NAME")

    def _owners(self, kinds: Sequence[Kind], registry: Registry) -> Iterator[str]:
        with contextlib.suppress(PackageNotFoundError):
            yield f"{self.distribution} {version(self.distribution)} is installed"
        if find_spec(self.package) is not None:
            yield f"a package {self.package!r} can be imported already"
        for point in entry_points(group=ENTRY_POINT_GROUP, name=self.short):
            yield f"plugin {self.short!r} of {point.dist.name if point.dist else 'another distribution'} is installed"
        for registered in registry.components():
            if registered.component.kind in kinds and registered.component.name == self.short:
                yield f"{registered.distribution} has the {registered.component.kind.value} {self.short!r}"
        for group, name in self.configs(kinds):
            if owner := registry.config_owner(group, name):
                yield f"{owner} is called {group}/{name}"

    def configs(self, kinds: Sequence[Kind]) -> list[tuple[str, str]]:
        """(group, name) of the YAML files of the new plugin."""
        return [("experiment", self.short), *((kind.value, f"{self.short}_{end}") for kind, end in PRESETS.items() if kind in kinds)]


def _problem_of_module(name: str) -> str:
    if not name.isidentifier():
        return f"{name!r} cannot be imported, as it is not an identifier of Python"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"{name!r} is a keyword of Python"
    if name in sys.stdlib_module_names:
        return f"{name!r} is a module of Python itself"
    if name in (OWN_DISTRIBUTION, "recframe_plugins"):
        return f"{name!r} is recframe's own"
    return ""
