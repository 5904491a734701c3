"""The code of a registered component, found without importing it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from recframe.files import code_sha256
from recframe.plugin_loader.entries import OWN_DISTRIBUTION, SESSION, Registered


def component_code(registered: Registered) -> str | None:
    """A hash of the code that a component is made of: of a built-in one the folders of its class and of its config, of any other the whole
    packages. None if there is no file to read, or if the component is from a Python session, whose version is a hash of its source.
    """
    if registered.distribution == SESSION:
        return None
    component = registered.component
    return _code(component.factory.partition(":")[0], component.config.__module__, registered.distribution == OWN_DISTRIBUTION)


@cache
def _code(factory: str, config: str, built_in: bool) -> str | None:
    """The hash for the modules of a class and of its config. What a process has read once it does not read again."""
    roots = {module_folder(module) if built_in else package_root(module) for module in (factory, config)} - {None}
    if not roots:
        return None
    return hashlib.sha256("".join(sorted(code_sha256(root) for root in roots if root is not None)).encode()).hexdigest()


def package_root(module: str) -> Path | None:
    """The folder of the topmost package of a module that has an `__init__.py`, or the module's file; several distributions may share the
    packages above. None if the module is missing or not in a file.
    """
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:number]))
        if spec is not None and spec.submodule_search_locations is not None and (file := _file(spec)) is not None:
            return file.parent
    return module_folder(module) if len(parts) > 1 else _file(_spec(module))


def module_folder(module: str) -> Path | None:
    """The folder that a module lies in; None if it is missing or not in a file."""
    file = _file(_spec(module))
    return None if file is None else file.parent


def _spec(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except (ImportError, ValueError):
        return None


def _file(spec: ModuleSpec | None) -> Path | None:
    """The file of a module; None of a folder without an `__init__.py`."""
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.has_location else None
