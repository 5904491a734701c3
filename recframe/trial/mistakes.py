"""The mistakes that a trial finds: all of them at once, and only those that are the component's whatever the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.linalg import LinAlgError  # type: ignore[attr-defined]  # public, but not exported

from recframe.attribution import ComponentFailure, blaming
from recframe.config import ConfigError
from recframe.errors import UserError

CERTAIN = (TypeError, AttributeError, NameError, RuntimeError)
"""Errors that are mistakes in the code. Others, such as a KeyError, may come from toy data that lacks what real data has."""


class Mistakes:
    """Collects what components of a run get wrong."""

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def collected(self, anything: bool = False) -> Iterator[None]:
        """End the block at an error, and collect it if it does not depend on the data. `anything`: the block reads no data at all."""
        try:
            with blaming():
                yield
        except UserError as error:
            if anything or _is_certain(error):
                self.found.append(error)
        except Exception:  # of which no component is known: a run would show it
            return

    def report(self) -> None:
        """Raise what was found.

        Raises
        ------
        ComponentFailure: with a line for each; or ConfigError, if all are mistakes in the config.
        """
        if not self.found:
            return
        first = next((error for error in self.found if isinstance(error, ComponentFailure)), self.found[0])
        if len(self.found) == 1:
            raise first from first.__cause__
        # a component's later mistakes may follow from its first
        firsts = {getattr(error, "origin", None) or error: error for error in reversed(self.found)}
        lines = list(dict.fromkeys(line for error in reversed(firsts.values()) for line in error.lines))
        if not isinstance(first, ComponentFailure):
            raise ConfigError(lines) from first
        causes = [error.__cause__ for error in self.found if isinstance(error.__cause__, Exception)]
        raise ComponentFailure(lines, first.origin) from (ExceptionGroup("the components failed", causes) if causes else None)


def _is_certain(error: UserError) -> bool:
    cause = error.__cause__
    if not isinstance(error, ComponentFailure):
        return False
    return cause is None or (isinstance(cause, CERTAIN) and not isinstance(cause, (LinAlgError, torch.OutOfMemoryError)))
