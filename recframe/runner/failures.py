"""What is left where something fails: of a run, run.log and failure.json; of a part that a run can do without, a sentence."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from recframe.errors import UserError
from recframe.plugin_loader import OWN_DISTRIBUTION, SESSION, Registered, raised, registry
from recframe.runner.results import RunFailure
from recframe.tracking.failure import clear_failure, write_failure

log = logging.getLogger(__name__)

T = TypeVar("T")


class PluginError(UserError):
    """Code of a third-party plugin raised an error; the message names the component or the plugin, and the place."""

    exit_code = 1


@contextmanager
def recorded_failure(folder: Path, log_handler: logging.Handler, tell: Callable[[RunFailure], None]) -> Iterator[None]:
    """Record an error that the block raises, and `tell` of it. A signal to stop is no error: the run can be resumed.

    Raises
    ------
    PluginError: in place of an error that was raised in the code of a third-party plugin. Other errors stay as they are.
    """
    clear_failure(folder)
    try:
        yield
    except Exception as error:
        origin = {} if isinstance(error, UserError) else _origin(error.__traceback__)
        message = str(error) if isinstance(error, UserError) else raised(error)
        if not isinstance(error, UserError):
            # only on disk: the terminal gets a line, or the traceback from Python
            log_handler.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, "the run failed", (), _exc_info(error)))
        with suppress(OSError):  # a full disk
            write_failure(folder, message, origin)
        tell(RunFailure(folder, message, origin, "".join(traceback.format_exception(error))))
        if origin:
            raise PluginError(f"{_in_words(origin)} failed: {message}; the traceback is in {folder / 'run.log'}") from error
        raise


def attempt(what: str, estimate: Callable[[], T], caveats: list[str]) -> T | None:
    """What `estimate` returns; if it fails, None, a warning, and a sentence more in `caveats`.

    For what is measured beside the results of a run: its failure must not cost the rest. An error that is no `UserError` is a fault of the
    program, whose traceback is logged.

    what: what is estimated, the beginning of the sentence.
    """
    try:
        return estimate()
    except Exception as error:
        known = isinstance(error, UserError)
        sentence = f"{what} could not be estimated: {str(error) if known else raised(error)}."
        log.warning("%s", sentence, exc_info=None if known else _exc_info(error))
        caveats.append(sentence)
        return None


def _exc_info(error: Exception) -> tuple[type[Exception], Exception, TracebackType | None]:
    return type(error), error, error.__traceback__


def _in_words(origin: dict[str, str]) -> str:
    component = f"{origin['component']} of " if "component" in origin else ""
    version = f" {origin['version']}" if "version" in origin else ""
    return f"{component}plugin {origin['plugin']!r} ({origin['distribution']}{version})"


def _origin(trace: TracebackType | None) -> dict[str, str]:
    """The third-party component or plugin in whose code an error was raised last; empty if there is none."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(trace)]
    # who registered a class in the session wrote it, and needs the traceback
    third_party = [one for one in registry().components() if one.distribution not in (OWN_DISTRIBUTION, SESSION)]
    plugins = {
        str(getattr(plugin, "__name__", "")): name.rpartition(":")
        for name, plugin in registry().manager.list_name_plugin()
        if not name.startswith(f"{OWN_DISTRIBUTION}:")
    }
    for module in reversed(modules):
        for registered in third_party:
            if module == registered.component.factory.partition(":")[0]:
                return _of_component(registered)
        for name, (distribution, _, point) in plugins.items():
            # the module of the entry point, or another one of its package
            if module == name or module.startswith(f"{name.partition('.')[0]}."):
                return {"plugin": point, "distribution": distribution}
    return {}


def _of_component(registered: Registered) -> dict[str, str]:
    component = registered.component
    return {
        "component": f"{component.kind}={component.name}",
        "plugin": registered.plugin,
        "distribution": registered.distribution,
        "version": registered.version,
    }
