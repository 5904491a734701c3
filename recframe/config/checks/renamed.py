"""Settings under their old names: the value is used under the new name."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from recframe.components import renamed_options
from recframe.deprecations import Renamed


class Moved(NamedTuple):
    """The old keys that were used with the new ones, and the problems of those that cannot be."""

    used: list[tuple[str, Renamed]]
    problems: list[str]


def use_new_names(prefix: str, section: Any, schema: type) -> Moved:
    """Move each value in a section that stands under an old name to the new name.

    Parameters
    ----------
    prefix: of the section's keys, such as "agent.".   section: a dict or DictConfig, which is changed.   schema: its dataclass.
    """
    fields = {field.name: field for field in dataclasses.fields(schema)}
    moved = Moved([], [])
    for old, (new, until) in renamed_options(schema).items():
        value = section.get(old)
        if value is None:
            continue
        if section.get(new) != _default(fields[new]):
            moved.problems.append(f"{prefix}{old}: it is called {prefix}{new} now, which is set, too; leave {prefix}{old} out")
            continue
        section[new], section[old] = value, None
        moved.used.append((f"{prefix}{old}", Renamed(f"{prefix}{new}", until)))
    return moved


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
