"""Seeds of a run: one for each purpose, derived from the run's own."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, independent of the seeds for other purposes and of all other random draws of the run."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:4])


def seed_everything(seed: int) -> None:
    """Seed the process-wide generators, which draw the initial weights of networks."""
    random.seed(seed)
    np.random.seed(derived_seed(seed, "numpy"))
    torch.manual_seed(seed)
