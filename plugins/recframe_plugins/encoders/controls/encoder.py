"""The control encoders: `id`, which gives empty vectors, and `random`, which gives noise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from recframe.interfaces import Encoder, Role
from recframe_plugins.encoders.controls.config import IdConfig, RandomEncoderConfig

CHUNK_TEXTS = 4096
"""Texts whose noise is drawn at once; bounds memory."""


class IdEncoder(Encoder):
    """Vectors of length 0. `device` is not used."""

    reads = False

    def __init__(self, config: IdConfig, device: torch.device) -> None:
        self.config = config

    @property
    def dim(self) -> int:
        """0."""
        return 0

    @property
    def fingerprint(self) -> str:
        """The encoder's name; it has no options."""
        return "id"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Empty vectors `[n, 0]`."""
        return np.empty((len(texts), 0), dtype=np.float32)


class RandomEncoder(Encoder):
    """Vectors drawn uniformly from the unit sphere. A vector depends on the seed and the text, not on the role or on other texts.

    A text's random numbers are the output of SHAKE-256 on seed and text, so they are the same on every machine, without a generator
    for each text. Two different texts are nearly orthogonal, however similar they are. `device` is not used.
    """

    def __init__(self, config: RandomEncoderConfig, device: torch.device) -> None:
        self.config = config

    @property
    def dim(self) -> int:
        """`config.dim`."""
        return self.config.dim

    @property
    def fingerprint(self) -> str:
        """The options."""
        return f"random dim={self.config.dim} seed={self.config.seed}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of length one."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for first in range(0, len(texts), CHUNK_TEXTS):
            vectors[first : first + CHUNK_TEXTS] = self._noise(texts[first : first + CHUNK_TEXTS])
        return vectors

    def _noise(self, texts: Sequence[str]) -> np.ndarray:
        pairs = (self.dim + 1) // 2
        seed = self.config.seed.to_bytes(8, "little")
        drawn = b"".join(hashlib.shake_256(seed + text.encode("utf-8", "surrogatepass")).digest(8 * pairs) for text in texts)
        # never 0, which has no logarithm
        uniform = (np.frombuffer(drawn, dtype="<u4").reshape(len(texts), 2, pairs).astype(np.float64) + 0.5) / 2**32
        # Box and Muller (1958): two normal numbers from two uniform ones; a vector of normal numbers has a uniform direction
        radius, angle = np.sqrt(-2 * np.log(uniform[:, 0])), 2 * np.pi * uniform[:, 1]
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, : self.dim]
        vectors: np.ndarray = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        return vectors
