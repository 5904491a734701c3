"""Restoring a random generator from a checkpoint, also on another kind of device."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def restore_generator(generator: torch.Generator, state: Tensor) -> None:
    """Continue with the random draws of a saved state of `generator.get_state()`.

    A state from another kind of device cannot be continued: the generator is then seeded with a hash of it.
    """
    state = state.cpu()
    if state.shape == generator.get_state().shape:
        generator.set_state(state)
    else:
        generator.manual_seed(int.from_bytes(hashlib.sha256(state.numpy().tobytes()).digest()[:4]))
