"""The hooks of a run, called plugin by plugin on copies: no plugin can change the run's config or another plugin's arguments."""

from __future__ import annotations

import copy
import logging
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback

from recframe.errors import UserError
from recframe.plugin_loader import raised, registry
from recframe.runner.results import RunContext, RunFailure, RunResult

log = logging.getLogger(__name__)


class HookError(UserError):
    """A hook without which the run would be another run failed; the message names the plugin."""

    exit_code = 1


def call_started(cfg: DictConfig, context: RunContext) -> None:
    """Tell each plugin that the run has started. A plugin that fails is logged, and the run goes on."""
    _notify("recframe_run_started", "the run goes on", cfg=cfg, run=context)


def call_finished(result: RunResult) -> None:
    """Tell each plugin that the run is finished. A plugin that fails is logged; the results are written."""
    _notify("recframe_run_finished", "the results are written", result=result)


def call_failed(cfg: DictConfig, failure: RunFailure) -> None:
    """Tell each plugin that the run has failed. A plugin that fails is logged; the run's own error is reported."""
    _notify("recframe_run_failed", "the run had failed before", cfg=cfg, failure=failure)


def _notify(hook: str, meanwhile: str, **arguments: Any) -> None:
    for plugin, distribution, call in registry().callers(hook):
        try:
            call(**copy.deepcopy(arguments))
        except (Exception, SystemExit):
            log.exception("the hook %s of plugin %s (%s) failed; %s", hook, plugin, distribution, meanwhile)


def plugin_callbacks(cfg: DictConfig) -> list[Callback]:
    """The Lightning callbacks of all plugins.

    Raises
    ------
    HookError: a plugin failed or returned something else. Without its callbacks, which may stop or change the training, the run would be
        another one.
    """
    callbacks: list[Callback] = []
    for plugin, distribution, call in registry().callers("recframe_callbacks"):
        where = f"the hook recframe_callbacks of plugin {plugin} ({distribution})"
        try:
            (returned,) = call(cfg=copy.deepcopy(cfg)) or ([],)
        except (Exception, SystemExit) as error:
            log.debug("the hook recframe_callbacks failed", exc_info=True)
            raise HookError(f"{where} failed: {raised(error)}; RECFRAME_PLUGINS=-{plugin} leaves it out") from error
        if not isinstance(returned, (list, tuple)) or not all(isinstance(one, Callback) for one in returned):
            raise HookError(f"{where} returned {returned!r}; a list of Lightning callbacks is right")
        callbacks += returned
    return callbacks
