"""What a failed job of a sweep leaves: a line in the terminal at once, and in its folder the reason, where the run itself has left none."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recframe.errors import JobStopped, Pruned, UserError
from recframe.sweeps.record import NUMBER_VARIABLE
from recframe.tracking.failure import reason_of, write_failure
from recframe.tracking.folder import CONFIG_NAME, LOG_NAME


@contextmanager
def failure_left(folder: str) -> Iterator[None]:
    """Leave what is known of an error that the block raises, which is a job's whose run has this folder."""
    try:
        yield
    except (JobStopped, Pruned):
        raise
    except Exception as error:
        print(f"recframe: {folder}: failed: {reason_of(error)}", file=sys.stderr, flush=True)
        # a run that has claimed the folder records its own failures, or is not that of this job
        if os.environ.get(NUMBER_VARIABLE) and not (Path(folder) / CONFIG_NAME).exists():
            known = isinstance(error, UserError)
            leave_failure(folder, reason_of(error), "" if known else "".join(traceback.format_exception(error)))
        raise


def leave_failure(folder: str | Path, reason: str, trace: str = "") -> None:
    """Write failure.json, and append a traceback to run.log, as far as the disk takes it."""
    place = Path(folder)
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        if trace:
            with (place / LOG_NAME).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(trace)
        write_failure(place, reason, {})
