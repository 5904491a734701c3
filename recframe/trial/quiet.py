"""A block that leaves no traces: no random number is drawn from the process's generators, and nothing is logged or printed."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import warnings
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def without_traces(device: torch.device) -> Iterator[None]:
    """Restore the process-wide random generators, that of `device` among them, and suppress logs, warnings and output."""
    python, of_numpy, disabled = random.getstate(), np.random.get_state(), logging.root.manager.disable
    devices = [device.index or 0] if device.type == "cuda" else []
    try:
        with (
            torch.random.fork_rng(devices=devices),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            torch.manual_seed(0)
            yield
    finally:
        logging.disable(disabled)
        random.setstate(python)
        np.random.set_state(of_numpy)
