"""What is left where something fails: of a run, run.log and failure.json; of a part that a run can do without, a sentence."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from recframe.attribution import ComponentFailure, blaming
from recframe.errors import Pruned, UserError
from recframe.plugin_loader import raised
from recframe.runner.results import RunFailure
from recframe.tracking.early_end import PRUNED_RUN, STOPPED_RUN
from recframe.tracking.failure import clear_failure, reason_of, write_failure

log = logging.getLogger(__name__)

T = TypeVar("T")


@contextmanager
def recorded_failure(folder: Path, log_handler: logging.Handler, tell: Callable[[RunFailure], None]) -> Iterator[None]:
    """Record an error that the block raises, and `tell` of it. A signal to stop is no error: the run can be resumed.

    Raises
    ------
    Pruned: a sweep has ended the run, which is recorded, too.
    ComponentFailure: in place of an error that was raised in the code of a component or plugin. Other errors stay as they are.
    """
    clear_failure(folder)
    STOPPED_RUN.clear(folder)
    PRUNED_RUN.clear(folder)
    try:
        with blaming():
            yield
    except Pruned as pruned:
        PRUNED_RUN.write(folder, str(pruned))
        raise
    except Exception as error:
        known = isinstance(error, UserError)
        # a mistake of the user has no cause; one that was raised as another error has
        if not known or isinstance(error, ComponentFailure) or error.__cause__ is not None:
            # only on disk: the terminal gets a line, or the traceback from Python
            shown = error.__cause__ if isinstance(error, ComponentFailure) and isinstance(error.__cause__, Exception) else error
            log_handler.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, "the run failed", (), _exc_info(shown)))
        origin = error.origin.entry() if isinstance(error, ComponentFailure) and error.origin else {}
        message = reason_of(error)
        with suppress(OSError):  # a full disk
            write_failure(folder, message, origin)
        tell(RunFailure(folder, message, origin, "".join(traceback.format_exception(error))))
        if isinstance(error, ComponentFailure):
            raise error.with_hint(f"the traceback is in {folder / 'run.log'}") from (error.__cause__ or error)
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
