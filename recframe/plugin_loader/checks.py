"""Checks of a plugin when it is loaded: the version of recframe that it requires, its hooks, and the configs that it registers."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import OmegaConf
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from recframe import __version__, hookspecs
from recframe.components import CORE_SETTINGS, Component, ComponentError, LoggerComponent
from recframe.plugin_loader.interface_version import RENAMED_HOOKS
from recframe.plugin_loader.registry import OWN_DISTRIBUTION
from recframe.plugin_loader.words import suggestion


def check_schema(component: Component) -> None:
    """Refuse a config dataclass that OmegaConf cannot represent, or that lacks a field that the core reads."""
    check_representable(component)
    where = f"{component.kind} {component.name!r}: {component.config.__name__}"
    needed = CORE_SETTINGS.get(component.kind)
    if needed and not any(f.name == needed and f.type in (int, "int") for f in dataclasses.fields(component.config)):
        raise ComponentError(f"{where} needs a field '{needed}: int', which the core reads")


def check_representable(component: Component | LoggerComponent) -> None:
    """Refuse a config dataclass that OmegaConf cannot represent."""
    if all(map(_is_plain, dataclasses.fields(component.config))):
        return
    try:
        OmegaConf.structured(component.config)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        where = f"{component.kind} {component.name!r}: {component.config.__name__}"
        raise ComponentError(f"{where} cannot be a config: {lines[0]}") from error


PLAIN: Mapping[str, type] = {"bool": bool, "float": float, "int": int, "str": str}


def _is_plain(field: dataclasses.Field[Any]) -> bool:
    """Whether a field is such that OmegaConf need not be asked, which takes most of the time of loading a plugin."""
    declared = PLAIN.get(field.type) if isinstance(field.type, str) else field.type
    return declared in PLAIN.values() and type(field.default) is declared


def hook_problem(plugin: Any) -> str:
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
