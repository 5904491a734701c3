"""An encoder that concatenates the vectors of several encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch

from recframe.components import require_consistent
from recframe.interfaces import Encoder, Role
from recframe_plugins.encoders.concat.config import ConcatConfig


class ConcatEncoder(Encoder):
    """A text's vector is `[w_1 v_1 | w_2 v_2 | ...]`, with the parts' vectors v and the weights w of the config.

    If all parts give vectors of length one, the cosine of two such vectors is the mean of the parts' cosines, weighted by w^2.

    Parameters
    ----------
    config: its `parts` hold the encoders themselves, which the core has built.

    Raises
    ------
    ValueError: if there are no parts, or weights of parts that do not exist.
    """

    def __init__(self, config: ConcatConfig, device: torch.device) -> None:
        require_consistent(config)
        self._parts: list[tuple[Encoder, float]] = [(part, config.weights.get(name, 1.0)) for name, part in config.parts.items()]
        # without a part that reads text, this encoder reads no text either
        self.reads = any(part.reads for part, _ in self._parts)

    @property
    def parts(self) -> Sequence[tuple[Encoder, float]]:
        """The encoders that read text, with their weights."""
        return [(part, weight) for part, weight in self._parts if part.reads]

    def fit(self, texts: Sequence[str]) -> None:
        """Fit every part to the texts."""
        for part, _ in self._parts:
            part.fit(texts)

    @property
    def dim(self) -> int:
        """The sum of the parts' dimensions."""
        return sum(part.dim for part, _ in self.parts)

    @property
    def fingerprint(self) -> str:
        """The parts' fingerprints and weights, in order."""
        return f"concat {json.dumps([(part.fingerprint, weight) for part, weight in self.parts])}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]`."""
        vectors = [np.float32(weight) * part.encode(texts, role) for part, weight in self.parts]
        return np.concatenate(vectors, axis=1) if vectors else np.empty((len(texts), 0), dtype=np.float32)
