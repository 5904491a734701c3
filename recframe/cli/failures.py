"""How the command line ends when something goes wrong: a person's mistake in one line, a fault with its traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from recframe.errors import Stop, UserError


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """A person's mistake ends in a line, not a traceback; anything else is a fault of ours or a plugin's and keeps its traceback.

    Hydra prints and exits by itself unless HYDRA_FULL_ERROR is set, so it is set for the while; a person who set it gets tracebacks.
    """
    wanted = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Stop as stop:
        print(f"recframe: {stop}", file=sys.stderr)
        raise typer.Exit(stop.exit_code) from None
    except Exception as error:
        lines = _lines_for(error)
        if lines is None or wanted == "1":
            raise
        heading = "recframe:" if len(lines) == 1 else f"recframe: {len(lines)} mistakes\n  -"
        print(heading, "\n  - ".join(lines), file=sys.stderr)
        raise typer.Exit(getattr(error, "exit_code", UserError.exit_code)) from None
    finally:
        if wanted is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = wanted


def _lines_for(error: Exception) -> list[str] | None:
    """What to tell the person, or None where the error is not of their making."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from recframe.config import ConfigError, explain

    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, (HydraException, OmegaConfBaseException, yaml.YAMLError)):
        return [explain(error)]
    return [str(error)] if isinstance(error, UserError) else None
