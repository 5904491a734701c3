"""Deprecated names: what still works under its old name warns once a process and caller, with the new name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class RecframeDeprecationWarning(FutureWarning):
    """A name of recframe's public interface that a later version of the interface will not have. Python shows it by default."""


class Renamed(NamedTuple):
    """A new name, and the version of the interface that no longer has the old one."""

    new: str
    until: int


_warned: set[tuple[str, str]] = set()


def warn_renamed(old: str, renamed: Renamed, user: str, stacklevel: int = 2) -> None:
    """Warn once a process that `user`, a plugin or package, uses an old name.

    stacklevel: as in `warnings.warn`, from the caller of this function.
    """
    if (old, user) not in _warned:
        _warned.add((old, user))
        message = f"{user} uses {old}, which is {renamed.new} now; interface {renamed.until} will not have the old name"
        warnings.warn(message, RecframeDeprecationWarning, stacklevel=stacklevel + 1)


def renamed_attributes(module: str, names: Mapping[str, Renamed]) -> Callable[[str], Any]:
    """The `__getattr__` of a public module some of whose names were renamed: `__getattr__ = renamed_attributes(__name__, {...})`.

    names: the old names with the new ones in the same module.
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        frame: Any = sys._getframe(1)
        # `from module import name` looks the name up in frames of importlib
        while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("importlib."):
            frame = frame.f_back
        user = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        renamed = names[name]
        warn_renamed(f"{module}.{name}", Renamed(f"{module}.{renamed.new}", renamed.until), user)
        return getattr(sys.modules[module], renamed.new)

    return get
