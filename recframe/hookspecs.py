"""The hooks that a plugin may implement: a signature and one sentence each.

A plugin is a module named by an entry point of the group `recframe`. It implements hooks by decorating functions with
these names and arguments with `recframe.hookspecs.hookimpl`. Arguments may be omitted, but not renamed or added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from recframe.components import Component, LoggerComponent

if TYPE_CHECKING:
    from pathlib import Path

    import typer
    from omegaconf import DictConfig

    from recframe.interfaces import Catalog, Data, Environment, Log

ENTRY_POINT_GROUP = "recframe"
RUN_HOOKS = (
    "recframe_callbacks",
    "recframe_run_started",
    "recframe_metrics",
    "recframe_reference_policies",
    "recframe_reference_rankers",
    "recframe_run_finished",
    "recframe_run_failed",
)
"""The hooks of runs: `recframe train`, resumed runs, and `recframe.run`. `recframe pretrain` calls none of them."""

hookspec = pluggy.HookspecMarker("recframe")
hookimpl = pluggy.HookimplMarker("recframe")


@hookspec
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Call `register(Component(...))` once for each component the plugin offers."""


@hookspec
def recframe_register_loggers(register: Callable[[LoggerComponent], None]) -> None:
    """Call `register(LoggerComponent(...))` once for each logger the plugin offers; `logger=[csv,NAME]` chooses it."""


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
def recframe_metrics(run: Any, metrics: Mapping[str, float], step: int) -> None:
    """Called with the metrics of each training log and of each evaluation (`eval/...`), as the loggers get them.

    `step` is the run's counter (env steps or batches); `run` is a `recframe.runner.RunContext`. A plugin that fails is logged once, and is
    told no more metrics of this run.
    """


@hookspec
def recframe_reference_policies(  # type: ignore[empty-body]  # a signature
    cfg: DictConfig, environment: Environment, data: Data, seed: int
) -> Mapping[str, Callable[..., Any]]:
    """Further reference policies of the final evaluation in the simulator, by name.

    A policy is a callable `policy(observation, turn)` that returns the slates `[N, K]`, or continuous actions `[N, A]`, of the `turn`-th
    step (from 0). `environment` is one of the training split of the plugin's own, to fit policies in; `data` is what an agent may know.
    A plugin or policy that fails, or whose name is taken, is left out of the table, with a caveat in the results.
    """


@hookspec
def recframe_reference_rankers(cfg: DictConfig, log: Log, catalog: Catalog, seed: int) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Further references of the final evaluation on a log, by name: each is a `recframe.interfaces.Ranker`.

    `log` is what is known before the test (training and validation). Failures are treated as those of `recframe_reference_policies`.
    """


@hookspec
def recframe_run_finished(result: Any) -> None:
    """Called with the `recframe.runner.RunResult` after result.json is written. An error is logged."""


@hookspec
def recframe_run_failed(cfg: DictConfig, failure: Any) -> None:
    """Called with a `recframe.runner.RunFailure` after an error ended the run. A run that was stopped by a signal has not failed.

    An error of a hook is logged, and the run's own error is reported.
    """


@hookspec
def recframe_register_commands(app: typer.Typer) -> None:
    """Add commands to the `recframe` command line."""
