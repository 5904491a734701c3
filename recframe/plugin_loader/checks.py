"""Checks of a plugin when it is loaded: the version of recframe that it requires, and its hooks."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from recframe import __version__, hookspecs
from recframe.components import ComponentError
from recframe.plugin_loader.entries import OWN_DISTRIBUTION
from recframe.plugin_loader.interface_version import RENAMED_HOOKS
from recframe.plugin_loader.words import suggestion


def check_hooks(plugin: Any) -> None:
    """Refuse a module whose hooks would not be called, where pluggy reports nothing or an unclear error.

    Raises
    ------
    ComponentError: with the hook and the fix.
    """
    known = [name for name in vars(hookspecs) if name.startswith("recframe_")]
    accepted = {*known, *RENAMED_HOOKS}
    hooks = {name: value for name, value in vars(plugin).items() if name.startswith("recframe_") and inspect.isroutine(value)}
    marked = {name: value for name, value in vars(plugin).items() if hasattr(value, "recframe_impl")}
    for name in marked:
        if name not in accepted:
            raise ComponentError(f"{name!r} is not a hook{suggestion(name, known)}")
    for name in hooks:
        if name in accepted and name not in marked:
            raise ComponentError(f"{name!r} lacks the decorator @hookimpl, so it would never be called")
    if not marked:
        raise ComponentError(f"it implements no hook; the hooks are {', '.join(known)}")


def requirement_problem(requires: Iterable[str]) -> str:
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
