"""What a run changes in its process: generators of random numbers, and logging. It is put back afterwards."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

FORMAT, TIME = "%(asctime)s %(message)s", "%H:%M:%S"
"""As `recframe train` logs to the terminal."""


@contextmanager
def state_of_process_kept(quiet: bool) -> Iterator[None]:
    """Run the block with logging as in `recframe train`, and restore logging and the global generators after it.

    quiet: handlers that were there before get no more than without the run; if false, the log is shown on standard output.
    """
    with _generators_kept(), _logging(quiet):
        yield


@contextmanager
def _generators_kept() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(enabled=True):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def _logging(quiet: bool) -> Iterator[None]:
    """Log from INFO on, for run.log. The level of the root logger also held its handlers back, so that they take it over."""
    root = logging.getLogger()
    level, before = root.level, {handler: handler.level for handler in root.handlers}
    for handler, own in before.items():
        handler.setLevel(max(own, level))
    shown = None if quiet else logging.StreamHandler(sys.stdout)
    if shown is not None:
        shown.setFormatter(logging.Formatter(FORMAT, TIME))
        root.addHandler(shown)
    root.setLevel(min(level, logging.INFO) or logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        if shown is not None:
            root.removeHandler(shown)
        for handler, own in before.items():
            handler.setLevel(own)
