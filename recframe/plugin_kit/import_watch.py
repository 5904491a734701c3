"""What a plugin imports when it is loaded: run in a fresh process as `python -m recframe.plugin_kit.import_watch DISTRIBUTION`.

Prints JSON: the seconds that loading takes, and each heavy library with the file and line that imported it first.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.metadata import entry_points
from types import FrameType, ModuleType
from typing import Any

from packaging.utils import canonicalize_name

from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_loader import discover

HEAVY = {
    "gymnasium",
    "jax",
    "lightning",
    "matplotlib",
    "pandas",
    "pytorch_lightning",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "tensordict",
    "tensorflow",
    "torch",
    "torchmetrics",
    "transformers",
    "wandb",
}
"""Libraries whose import takes a good part of a second, and more."""


class ImportWatch(MetaPathFinder):
    """Finds no module, but records who asks for a heavy library first."""

    def __init__(self) -> None:
        self.importers: dict[str, str] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Record the importer of a heavy library; the other finders find it."""
        library = name.partition(".")[0]
        if library in HEAVY and not any(frame_of in HEAVY for frame_of in _libraries(sys._getframe(1))):
            self.importers.setdefault(library, _place(sys._getframe(1)))


def _frames(frame: FrameType | None) -> Any:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _libraries(frame: FrameType) -> list[str]:
    """The libraries whose code is running."""
    return [str(one.f_globals.get("__name__", "")).partition(".")[0] for one in _frames(frame)]


def _place(frame: FrameType) -> str:
    """File and line of the import statement."""
    for one in _frames(frame):
        if not one.f_code.co_filename.startswith("<frozen") and "importlib" not in one.f_code.co_filename:
            return f"{one.f_code.co_filename}, line {one.f_lineno}"
    return "an unknown place"


def watch(distribution: str) -> dict[str, Any]:
    """Load the plugins of a distribution, and say how long it takes and what it imports."""
    name = canonicalize_name(distribution)
    points = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist and canonicalize_name(point.dist.name) == name]
    finder = ImportWatch()
    sys.meta_path.insert(0, finder)
    started = time.perf_counter()
    discover(points)
    return {"seconds": time.perf_counter() - started, "importers": finder.importers}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        seen = watch(sys.argv[1])
    print(json.dumps(seen))
