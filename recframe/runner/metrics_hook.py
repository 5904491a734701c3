"""The hook of metrics during training, as a logger beside the others. Without a plugin that implements it, there is none."""

from __future__ import annotations

import logging
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.plugin_loader import registry
from recframe.runner.results import RunContext
from recframe.tracking.counter import split_counter

log = logging.getLogger(__name__)

HOOK = "recframe_metrics"


def metrics_hooks(context: RunContext, counter: str) -> list[Logger]:
    """The logger that tells plugins the metrics, in a list; an empty list if no plugin wants them."""
    callers = list(registry().callers(HOOK))
    return [MetricsHooks(callers, context, counter)] if callers else []


class MetricsHooks(Logger):
    """Calls the hook of each plugin with metrics of its own. A plugin that fails is logged once, and told nothing more."""

    def __init__(self, callers: list[Any], context: RunContext, counter: str) -> None:
        super().__init__()
        self._callers = callers
        self._context = context
        self._counter = counter
        self._step = 0

    @property
    def name(self) -> str:
        """The name of the hook."""
        return HOOK

    @property
    def version(self) -> str:
        """Lightning's name for one of several runs in a folder; empty."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Tell the plugins."""
        self._step, values = split_counter(metrics, self._step, self._counter)
        for caller in list(self._callers):
            plugin, distribution, call = caller
            try:
                call(run=self._context, metrics=dict(values), step=self._step)
            except (Exception, SystemExit):
                log.exception("the hook %s of plugin %s (%s) failed; it gets no more metrics of this run", HOOK, plugin, distribution)
                self._callers.remove(caller)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the hook is about metrics."""
