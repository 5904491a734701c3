"""The hooks that a plugin may implement: a signature and one sentence each.

A plugin is a module named by an entry point of the group `recframe`. It implements hooks by decorating functions with
these names and arguments with `recframe.hookspecs.hookimpl`. Arguments may be omitted, but not renamed or added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from recframe.components import Component

if TYPE_CHECKING:
    from pathlib import Path

    import typer
    from omegaconf import DictConfig

ENTRY_POINT_GROUP = "recframe"
RUN_HOOKS = ("recframe_callbacks", "recframe_run_started", "recframe_run_finished")
"""The hooks that a run calls."""

hookspec = pluggy.HookspecMarker("recframe")
hookimpl = pluggy.HookimplMarker("recframe")


@hookspec
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Call `register(Component(...))` once for each component the plugin offers."""


@hookspec
def recframe_config_paths() -> Sequence[str | Path]:  # type: ignore[empty-body]  # a signature
    """Folders, or `pkg://package.module` addresses, of YAML configs to add to Hydra's search path."""


@hookspec
def recframe_callbacks(cfg: DictConfig) -> Sequence[Any]:  # type: ignore[empty-body]  # a signature
    """Lightning callbacks to add to a run's Trainer, given the run's resolved config. An error ends the run before training."""


@hookspec
def recframe_run_started(cfg: DictConfig, run: Any) -> None:
    """Called when a run's folder is claimed and its config is valid; `run` is a `recframe.runner.RunContext`. An error is logged."""


@hookspec
def recframe_run_finished(result: Any) -> None:
    """Called with the `recframe.runner.RunResult` after result.json is written. An error is logged."""


@hookspec
def recframe_register_commands(app: typer.Typer) -> None:
    """Add commands to the `recframe` command line."""
