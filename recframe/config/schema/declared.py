"""What the schemas declare at a dotted key: the types and the restrictions of a setting, whichever component is chosen there."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from recframe.components import Kind, node
from recframe.plugin_loader import registry


class Declared(NamedTuple):
    """A place in a config: its type, the restrictions of `recframe.components.option`, and the kind of the component around it."""

    type: Any
    metadata: Mapping[str, Any] = types.MappingProxyType({})
    kind: Kind | None = None


class _Section(NamedTuple):
    """The type of the section of a component, which is yet to be chosen."""

    kind: Kind


class _Named(NamedTuple):
    """The type of a dict of sections by name."""

    kind: Kind


def declared_at(key: Sequence[str], schema: type, sections: Mapping[str, Kind]) -> list[Declared]:
    """What may be declared at a key, given in parts: one for each component that has the setting; empty if nothing is.

    Parameters
    ----------
    schema: of the whole config.     sections: its keys that hold a component, with the kind.
    """
    places = [Declared(schema)]
    for depth, part in enumerate(key):
        if depth == 0 and part in sections:
            kind = sections[part]
            places = [Declared(_Named(kind) if kind is Kind.REWARD else _Section(kind))]
        elif depth == 1 and key[0] == "logger":
            places = [Declared(found.component.config) for found in registry().loggers() if found.component.name == part]
        else:
            places = [inner for place in places for inner in _inside(place, part)]
    return places


def kinds_of_value(places: Iterable[Declared]) -> set[frozenset[Any]]:
    """The possible types of a value, one set for each place; a union has several members, `None` left out."""
    return {frozenset(type_ for type_ in _members(place.type) if type_ is not type(None)) for place in places}


def holds_text(places: Iterable[Declared]) -> bool:
    """Whether the value of some component's setting is text. Text is converted where another component's is a number."""
    return frozenset({str}) in kinds_of_value(places)


def holds_integer(places: Iterable[Declared]) -> bool:
    """Whether the value is an integer, whichever component has the setting."""
    return kinds_of_value(places) == {frozenset({int})}


def has_text_keys(places: Sequence[Declared]) -> bool:
    """Whether the keys of a mapping at these places are names."""
    return any(isinstance(one, (_Section, _Named)) or get_origin(one) is dict or dataclasses.is_dataclass(one) for one in _all(places))


def _all(places: Iterable[Declared]) -> Iterator[Any]:
    for place in places:
        yield from _members(place.type)


def _members(type_: Any) -> tuple[Any, ...]:
    return get_args(type_) if get_origin(type_) in (Union, types.UnionType) else (type_,)


def _inside(place: Declared, part: str) -> Iterator[Declared]:
    """What is declared under one more part of a key."""
    for type_ in _members(place.type):
        if isinstance(type_, _Named):
            yield Declared(_Section(type_.kind))
        elif isinstance(type_, _Section):
            for registered in registry().components(type_.kind):
                yield from _field(node(registered.component), part, type_.kind)
        elif dataclasses.is_dataclass(type_) and isinstance(type_, type):
            yield from _field(type_, part, place.kind)
        elif get_origin(type_) is dict:
            yield Declared(get_args(type_)[1], place.metadata, place.kind)
        elif get_origin(type_) in (list, tuple):
            arguments = [one for one in get_args(type_) if one is not Ellipsis]
            chosen = arguments[int(part)] if part.isdigit() and int(part) < len(arguments) else arguments[-1]
            yield Declared(chosen, place.metadata, place.kind)


def _field(schema: type, name: str, kind: Kind | None) -> Iterator[Declared]:
    for field in dataclasses.fields(schema):
        if field.name == name:
            nested = kind is not None and field.metadata.get("components")
            yield Declared(_Named(kind) if nested and kind else _hints(schema).get(name, field.type), field.metadata, kind)


_known_hints: WeakKeyDictionary[type, Mapping[str, Any]] = WeakKeyDictionary()


def _hints(schema: type) -> Mapping[str, Any]:
    """The types of the fields, also of a module with postponed annotations."""
    if schema not in _known_hints:
        _known_hints[schema] = _found_hints(schema)
    return _known_hints[schema]


def _found_hints(schema: type) -> Mapping[str, Any]:
    try:
        return get_type_hints(schema)
    except (NameError, TypeError):  # a name that is imported for type checkers only
        known = {"str": str, "str | None": str | None, "list[str]": list[str], "int": int}
        return {one.name: known.get(one.type, Any) if isinstance(one.type, str) else one.type for one in dataclasses.fields(schema)}
