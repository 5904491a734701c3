"""Components that a Python session registers, such as a class that was defined in a cell of a notebook."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import linecache
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from recframe.components import Component, ComponentError
from recframe.plugin_loader import SESSION, Registered, check_schema, registry

BY = "recframe.registered"
"""What stands in place of a plugin's name in records."""


@contextmanager
def registered(*components: Component) -> Iterator[None]:
    """Register components for the block, in which configs can choose them like those of plugins.

        with recframe.registered(Component("reward", "boredom", BoredomConfig, Boredom)):
            result = recframe.run(["reward=[click,boredom]"])

    The factory may be the class itself. Afterwards the registry is as before, so that a cell can be run again after a change. A run's
    `plugins.json` and `result.json` say that the component is from a session; to resume the run, or to load its policy, register it again.
    Vectors of an encoder that is registered so are not cached: what they are computed by may change in any cell.

    Raises
    ------
    recframe.components.ComponentError: a name is taken, which a built-in or installed component keeps; a config cannot be one; or what is
        given is no `Component`.
    """
    found = registry()
    with ExitStack() as stack:
        for component in components:
            if not isinstance(component, Component):
                given = component.__name__ if isinstance(component, type) else repr(component)
                raise ComponentError(f"recframe.registered takes components, as Component(kind, name, config, class), not {given}")
            check_schema(component)
            found.add_for_session(Registered(component, BY, SESSION, _version(component)))
            stack.callback(found.remove_from_session, component)
        yield


def _version(component: Component) -> str:
    """A hash of the source of the class and of its config, as far as it is known."""
    source = _source(component.implementation)
    if source is None:
        return "source unknown"
    # the methods of a dataclass are generated: without a file, its fields say what it is
    config = _source(component.config) or str([(field.name, field.type, field.default) for field in dataclasses.fields(component.config)])
    return f"source {hashlib.sha256((source + config).encode()).hexdigest()[:12]}"


def _source(defined: Any) -> str | None:
    """The source of a class or function: from its file, or else the whole cell that defines it; None if there is neither."""
    with suppress(OSError, TypeError):
        return inspect.getsource(defined)
    # of a class in a notebook, only the methods know their cell
    functions = [defined, *vars(defined).values()] if isinstance(defined, type) else [defined]
    files = {one.__code__.co_filename for one in functions if inspect.isfunction(one)}
    return "".join("".join(linecache.getlines(file)) for file in sorted(files)) or None
