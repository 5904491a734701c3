"""The tables of a pyproject.toml that the kit reads, and what type each entry must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recframe.hookspecs import ENTRY_POINT_GROUP

TABLE, TEXT, TEXTS = "a table", "a text", "a list of texts"

TYPES: Mapping[tuple[str, ...], str] = {
    ("project",): TABLE,
    ("project", "name"): TEXT,
    ("project", "version"): TEXT,
    ("project", "dependencies"): TEXTS,
    ("project", "dynamic"): TEXTS,
    ("project", "entry-points"): TABLE,
    ("project", "entry-points", ENTRY_POINT_GROUP): "a table of texts",
    ("build-system",): TABLE,
    ("build-system", "requires"): TEXTS,
    ("build-system", "build-backend"): TEXT,
    ("build-system", "backend-path"): TEXTS,
    ("tool",): TABLE,
    ("tool", "setuptools"): TABLE,
    ("tool", "setuptools", "package-dir"): "a table of texts",
    ("tool", "setuptools", "packages", "find"): TABLE,
    ("tool", "setuptools", "packages", "find", "where"): TEXTS,
}


def wrong_types(tables: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each entry of a wrong type; what is below it is not looked at."""
    for path, right in TYPES.items():
        value: Any = tables
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and not _is(value, right):
            yield f"{'.'.join(path)} is {value!r}; {right} is right"


def _is(value: Any, right: str) -> bool:
    if right == TEXT:
        return isinstance(value, str)
    if right == TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, Mapping) and (right == TABLE or all(isinstance(one, str) for one in value.values()))
