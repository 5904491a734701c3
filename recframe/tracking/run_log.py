"""run.log: what is logged during a run, on disk."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class _RunLogHandler(logging.FileHandler):
    """Writes to run.log. A disk that takes no more costs the log, not the run: it is said once on standard error."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._path = path
        self._reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of logging
        """Report the first error; logging itself prints a traceback for each."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._reported:
            self._reported = True
            with suppress(OSError, ValueError):
                print(f"recframe: {self._path}: cannot be written ({error.strerror or error})", file=sys.stderr)

    def close(self) -> None:
        """Close the file; what a full disk has not taken is lost."""
        with suppress(OSError):
            super().close()


@contextmanager
def log_file(path: Path) -> Iterator[logging.Handler]:
    """Write everything that is logged in the block to the run's log, too. Yields the handler that writes it."""
    handler = _RunLogHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        handler.close()
