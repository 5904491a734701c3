"""Error messages of the command line: one line for a mistake of the user or a refusal of the system, a traceback for any other error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from recframe.errors import Stop, UserError, message_of
from recframe.files import REFUSALS

NO_HOME = "Could not determine home directory."
"""What pathlib says if there is neither HOME nor an entry for the user in the system's list of users."""

MACHINE_EXIT_CODE = 1
"""The exit code if the operating system refuses to read or write."""


@contextmanager
def user_errors_as_messages() -> Iterator[None]:
    """End the process with a message if the block raises a user's mistake or `Stop`. Other errors keep their traceback.

    Hydra prints errors and exits by itself unless HYDRA_FULL_ERROR is set, so it is set for the duration of the block. A user who
    has set it gets tracebacks.
    """
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Stop as stop:
        print(f"recframe: {stop}", file=sys.stderr)
        raise typer.Exit(stop.exit_code) from None
    except Exception as error:
        lines = _message_lines(error)
        if lines is None or full_error == "1":
            raise
        print(message_of(lines), file=sys.stderr)
        raise typer.Exit(getattr(error, "exit_code", MACHINE_EXIT_CODE if isinstance(error, OSError) else UserError.exit_code)) from None
    finally:
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


def _message_lines(error: Exception) -> list[str] | None:
    """The lines for the user, or None if the error is not a mistake of theirs."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from recframe.config.compose.error_line import error_line

    if isinstance(error, (HydraException, OmegaConfBaseException, yaml.YAMLError)):
        return [error_line(error)]
    if isinstance(error, UserError):
        return error.lines
    if isinstance(error, RuntimeError) and str(error) == NO_HOME:
        return ["this user has no home folder for paths with ~; set HOME, or set embeddings.cache and other paths without ~"]
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return [f"{error.filename}: {error.strerror}" if error.filename else str(error)]
    return None
