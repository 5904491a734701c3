"""All loggers of a run, as its config lists them: built, isolated from each other, and closed."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.errors import UserError
from recframe.interfaces import FinalResults, RunDescription
from recframe.plugin_loader import OWN_DISTRIBUTION, RegisteredLogger, raised, registry

log = logging.getLogger(__name__)


class LoggerError(UserError):
    """A logger cannot be used as configured; the message names it, and the plugin that it is from."""


class RunLoggers:
    """The loggers of a run. As a context manager it closes them on exit, as failed if there is an error.

    A logger that cannot be made ends the run. One that fails later is reported once and left out, unless it is essential: its error, such
    as a full disk, then ends the run.

    Parameters
    ----------
    settings: the config's `logger` section, with one entry for each logger, as objects of their config classes or as mappings.

    Raises
    ------
    LoggerError: a logger cannot be made. The others are closed as failed.
    """

    def __init__(self, settings: Mapping[str, Any], run: RunDescription) -> None:
        self._loggers: list[_IsolatedLogger] = []
        for name, own in settings.items():
            found = registry().logger(name)
            try:
                self._loggers.append(_IsolatedLogger(found, _built(found, own, run)))
            except BaseException:
                self.close(failed=True)
                raise

    @property
    def loggers(self) -> list[Logger]:
        """The loggers for Lightning's Trainer."""
        return list(self._loggers)

    def log_results(self, results: FinalResults) -> None:
        """Give each logger the final results. Call it once they are on disk: what a logger fails to record is a warning."""
        for logger in self._loggers:
            logger.log_results(results)

    def close(self, failed: bool = False) -> None:
        """End what the loggers record, as failed or finished. A second call has no effect."""
        for logger in reversed(self._loggers):
            logger.close(failed)

    def __enter__(self) -> RunLoggers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close(failed=error is not None)


def _built(found: RegisteredLogger, settings: Mapping[str, Any], run: RunDescription) -> Logger:
    component, where = found.component, _in_words(found)
    module, _, attribute = component.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
        built = factory(component.config(**settings), run)
    except ImportError as error:
        remedy = f"run `{component.install}`" if component.install else f"install what {found.distribution} needs"
        raise LoggerError(f"{where}: cannot be imported ({error}): {remedy}, or leave it out of logger=[...]") from error
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        log.debug("%s failed", where, exc_info=True)
        raise LoggerError(f"{where} could not be made: {raised(error)}; without it: leave it out of logger=[...]") from error
    if not isinstance(built, Logger):
        raise LoggerError(f"{where}: {component.factory} returned {built!r}; a pytorch_lightning.loggers.Logger is right")
    return built


def _in_words(found: RegisteredLogger) -> str:
    own = found.distribution == OWN_DISTRIBUTION
    return f"logger={found.component.name}" + ("" if own else f" of plugin {found.plugin!r} ({found.distribution} {found.version})")


class _IsolatedLogger(Logger):
    """A logger whose errors are reported with its name. Lightning ends no run with it: `close` does, after the final evaluation."""

    def __init__(self, found: RegisteredLogger, wrapped: Logger) -> None:
        super().__init__()
        self.wrapped = wrapped
        self._found = found
        self._broken = False
        self._closed = False

    @property
    def name(self) -> str | None:
        """The logger's own name."""
        return self.wrapped.name

    @property
    def version(self) -> int | str | None:
        """The logger's own version."""
        return self.wrapped.version

    @property
    def save_dir(self) -> str | None:
        """The logger's own folder."""
        return self.wrapped.save_dir

    @property
    def experiment(self) -> Any:
        """What the logger offers to callbacks, such as W&B's run; None if it offers nothing."""
        return getattr(self.wrapped, "experiment", None)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log, unless the logger failed before."""
        if self._broken:
            return
        if self._found.component.essential:
            self.wrapped.log_metrics(metrics, step)
            return
        with self._isolated("metrics could not be recorded, and no others will be"):
            self.wrapped.log_metrics(metrics, step)
            return
        self._broken = True

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Pass on what a callback logs."""
        with self._isolated("hyperparameters could not be recorded"):
            self.wrapped.log_hyperparams(params, *args, **kwargs)

    def save(self) -> None:
        """Let the logger write what it holds back."""
        with self._isolated("it could not write"):
            self.wrapped.save()

    def log_results(self, results: FinalResults) -> None:
        """Pass on the final results, if the logger takes them."""
        if hasattr(self.wrapped, "log_results"):
            with self._isolated("the results could not be recorded"):
                self.wrapped.log_results(results)

    def close(self, failed: bool) -> None:
        """End what is recorded."""
        if self._closed:
            return
        self._closed = True
        with self._isolated("the end of the run could not be recorded"):
            if hasattr(self.wrapped, "close"):
                self.wrapped.close(failed=failed)
            else:
                self.wrapped.finalize("failed" if failed else "success")

    @contextmanager
    def _isolated(self, what: str) -> Iterator[None]:
        """Log an error of the block as a warning in one line, with the traceback for those who ask for it."""
        try:
            yield
        except (Exception, SystemExit) as error:  # a service raises many types
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            log.warning("%s: %s (%s)", _in_words(self._found), what, reason)
            log.debug("%s", what, exc_info=True)
