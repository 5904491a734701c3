"""What an encoder was built from: its distribution, version and code, so that vectors of other code are never taken from the cache."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import PackageNotFoundError, distribution

from recframe import __version__
from recframe.components import Component
from recframe.files import code_sha256
from recframe.interfaces import Encoder
from recframe.plugin_loader import OWN_DISTRIBUTION, SESSION, module_folder, package_root, registry


def built_from(component: Component, encoder: Encoder) -> str | None:
    """`"DISTRIBUTION VERSION SHA256"` of a registered encoder that has been built from `component`.

    None of one that was registered in the Python session: the code that it calls may be in any cell of a notebook, so that no hash covers
    it, and its vectors are not cached.

    The hash is over code only, wherever it lies. Of a third-party plugin it is all the code of its package (the top-level package of the
    factory, of the config and of the classes that the encoder inherits from, and what else its distribution has imported), as any module
    of it may change vectors. Of a built-in encoder it is the folders that define these: its version changes with recframe's.
    """
    origin = registry().registered(component)
    if origin.distribution == SESSION:
        return None
    modules = {component.factory.partition(":")[0], component.config.__module__}
    modules |= {base.__module__ for base in type(encoder).__mro__ if issubclass(base, Encoder)}
    built_in = {
        registered.component.factory.partition(".")[0]
        for registered in registry().components(component.kind)
        if registered.distribution == OWN_DISTRIBUTION
    }
    inherited = origin.distribution != OWN_DISTRIBUTION and any(module.partition(".")[0] in built_in for module in modules)
    if origin.distribution != OWN_DISTRIBUTION:
        modules |= _imported(origin.distribution)
    roots = {
        module_folder(module) if module.partition(".")[0] in built_in else package_root(module)
        for module in modules
        # the interfaces have no code that changes vectors
        if module in sys.modules and module.partition(".")[0] != Encoder.__module__.partition(".")[0]
    }
    code = hashlib.sha256("".join(sorted(code_sha256(root) for root in roots if root is not None)).encode()).hexdigest()
    return f"{origin.distribution} {origin.version}{f' {OWN_DISTRIBUTION} {__version__}' if inherited else ''} {code}"


def package_sha256(package: str) -> str:
    """The hash of the code of an imported package."""
    root = package_root(package)
    if root is None:
        raise ValueError(f"{package} has no folder")
    return code_sha256(root)


def _imported(name: str) -> set[str]:
    """The top-level modules of a distribution that have been imported."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return set()
    # an editable install lists no files
    listed = (found.read_text("top_level.txt") or "").split()
    listed += [file.parts[0].removesuffix(".py") for file in found.files or [] if file.suffix == ".py"]
    return {module for module in listed if module in sys.modules}
