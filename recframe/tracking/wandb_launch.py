"""The start of a W&B run without W&B's launch agent, whose import takes over a CPU second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recframe.lean_imports import Placeholder

INPUTS = "wandb.sdk.launch.inputs.internal"


class _NothingStaged:
    """`StagedLaunchInputs` before anything is staged."""

    def apply(self, run: Any) -> None:
        """Change nothing."""


@contextmanager
def without_launch_agent() -> Iterator[None]:
    """Within the block, a run that starts does not import the agent: it asks its module for staged inputs, which only that can have."""
    if INPUTS in sys.modules:
        yield
        return
    with Placeholder(INPUTS, StagedLaunchInputs=_NothingStaged).standing():
        yield
