"""Every check of a distribution that Python finds, in this process; `recframe plugins check` calls it in one of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import distribution, entry_points
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name

from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_kit.components import component_findings, components_of
from recframe.plugin_kit.configs import config_findings
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_kit.processes import fresh_process, last_words
from recframe.plugin_loader import Registry

SLOW_IMPORT = 1.0
"""Seconds after which loading a plugin is reported as slow: `recframe --help` waits for every plugin."""


def distribution_findings(name: str, found: Registry) -> Iterator[Finding]:
    """What is right and wrong about the plugins of a distribution: how they load, their components and their YAML files."""
    name = distribution(name).name
    yield from _loading(name, found)
    yield _import_finding(name)
    yield from component_findings(name, found)
    yield from config_findings(name, found)


def _loading(name: str, found: Registry) -> Iterator[Finding]:
    """A finding for each entry point: its hooks, or why it or a part of it was left out."""
    failures = [failure for failure in found.failures if failure.distribution == name]
    for failure in failures:
        yield Finding(Status.FAILED, "entry point", failure.plugin, f"{failure.part} left out: {failure.cause}. {failure.fix}")
    hooks = [hook for hook in vars(found.manager.hook) if hook.startswith("recframe_")]
    implemented = {hook: [plugin for plugin, of, _ in found.callers(hook) if of == name] for hook in hooks}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.dist is None or canonicalize_name(point.dist.name) != canonicalize_name(name):
            continue
        if own := sorted(hook for hook, plugins in implemented.items() if point.name in plugins):
            yield Finding(Status.OK, "entry point", point.name, f"{point.value} implements {', '.join(own)}")
        # one without hooks may name no module at all
        if own and not _is_typed(package := point.module.partition(".")[0]):
            note = f"{package} has no py.typed, so type checkers ignore its types: add an empty file {package}/py.typed to the package"
            yield Finding(Status.NOTE, "types", point.name, note)
    if not failures and not components_of(name, found) and not any(name == folder.distribution for folder in found.config_folders):
        yield Finding(Status.NOTE, "entry point", name, "it has neither components nor YAML files, only hooks")


def _is_typed(package: str) -> bool:
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    # a plugin of one module can have no py.typed
    return not places or any((Path(place) / "py.typed").is_file() for place in places)


def _import_finding(name: str) -> Finding:
    """How long the plugins of a distribution take to load in a fresh process, and that they import nothing heavy."""
    done = fresh_process("recframe.plugin_kit.import_watch", [name])
    if done.returncode:
        return Finding(Status.FAILED, "import", name, f"loading it ended the process: {last_words(done)}")
    seen = json.loads(done.stdout)
    if importers := seen["importers"]:
        places = "; ".join(f"{library} is imported by {place}" for library, place in sorted(importers.items()))
        remedy = "import it in the module of the component's class, which only runs import, and not in hooks or configs"
        return Finding(Status.FAILED, "import", name, f"every recframe command would wait for it: {places}; {remedy}")
    if seen["seconds"] > SLOW_IMPORT:
        return Finding(Status.NOTE, "import", name, f"it takes {seen['seconds']:.1f} s to load, for which every recframe command waits")
    return Finding(Status.OK, "import", name, f"{seen['seconds']:.2f} s, nothing heavy")
