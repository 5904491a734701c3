"""Imports and composition without garbage collection, which finds nothing then and takes a fifth of their time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(keeps: bool = False) -> Iterator[None]:
    """Collect no garbage within the block.

    keeps: what there is at its end stays: the modules of a process, which later collections need not look through. Only the first time,
        because a later block would also keep the garbage of a job before it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if keeps and not gc.get_freeze_count():
            gc.freeze()
        if collects:
            gc.enable()
