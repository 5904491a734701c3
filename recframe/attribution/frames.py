"""Which component's code a traceback passes through."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from recframe.attribution.origin import Origin, origin_of
from recframe.plugin_loader import OWN_DISTRIBUTION, Registered, registry


class Place(NamedTuple):
    """Code of a component or plugin in a traceback. `certain`: the component is known, and not only the plugin or the module."""

    origin: Origin
    certain: bool
    file: str
    line: int


def place_in(trace: TracebackType | None) -> Place | None:
    """The place to blame for an exception: the innermost code of a third-party plugin, else of a built-in component; None: neither.

    Code that belongs to a package and to no single component, such as a helper function, is of the component that called it.
    """
    places = list(_places(trace))
    third_party = next((place for place in places if place.origin.is_third_party), None)
    if third_party is None:
        return next((place for place in places if place.certain), None)
    if third_party.certain:
        return third_party
    callers = places[places.index(third_party) :]
    same = (place for place in callers if place.certain and place.origin.distribution == third_party.origin.distribution)
    caller = next(same, third_party)
    return third_party._replace(origin=caller.origin, certain=caller.certain)


def _places(trace: TracebackType | None) -> Iterator[Place]:
    """Innermost first."""
    for frame, line in reversed(list(traceback.walk_tb(trace))):
        own = _component_of(frame)
        origin = own or _plugin_of(str(frame.f_globals.get("__name__", "")))
        if origin is not None:
            yield Place(origin, own is not None, frame.f_code.co_filename, line)


def _component_of(frame: FrameType) -> Origin | None:
    """The component whose method, constructor or factory function a frame runs."""
    code = frame.f_code
    # not whatever is passed first: a function of the core that takes an agent is not the agent's
    is_method = code.co_argcount > 0 and code.co_varnames[0] in ("self", "cls")
    first = frame.f_locals.get(code.co_varnames[0]) if is_method else None
    if (marked := origin_of(first)) is not None:
        return marked
    # in its constructor a component has no mark yet; in a class method there is no component
    classes = (first if isinstance(first, type) else type(first)).__mro__ if first is not None else ()
    factories = [f"{one.__module__}:{one.__qualname__}" for one in classes]
    factories.append(f"{frame.f_globals.get('__name__')}:{code.co_name}")
    for factory in factories:
        found = [registered for registered in registry().components() if registered.component.factory == factory]
        if found:
            return _only(found)
    return None


def _plugin_of(module: str) -> Origin | None:
    """The third-party plugin, or its one component, that a module belongs to."""
    in_module = [
        registered
        for registered in registry().components()
        if registered.distribution != OWN_DISTRIBUTION and registered.component.factory.partition(":")[0] == module
    ]
    if in_module:
        return _only(in_module)
    loaded: list[tuple[str, Any]] = registry().manager.list_name_plugin()
    for name, plugin in loaded:
        distribution, _, point = name.rpartition(":")
        entry = str(getattr(plugin, "__name__", ""))
        # the module of the entry point, or another one of its package
        if distribution != OWN_DISTRIBUTION and (module == entry or module.startswith(f"{entry.partition('.')[0]}.")):
            return Origin("", point, distribution, registry().versions.get(distribution, ""))
    return None


def _only(found: list[Registered]) -> Origin:
    """The component, or what several have in common."""
    first, component = found[0], found[0].component
    name = f"{component.kind}={component.name}" if len(found) == 1 else ""
    return Origin(name, first.plugin, first.distribution, first.version)
