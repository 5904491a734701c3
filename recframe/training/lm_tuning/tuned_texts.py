"""Texts under a tuned language model: which of them an agent reads, and how their vectors are replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recframe.embeddings import AffineMap, EmbeddingStore
from recframe.interfaces import Agent, Data, Encoder, Role, TextTable, Tunable
from recframe.training.weights import encoder_weights, file_sha256, load_tensors


class TextGroup(NamedTuple):
    """The texts of a role that an agent reads.

    texts: n strings.   frozen: their vectors `[n, D]` before any tuning.   tables: what they are read from, one of each set of copies.
    """

    role: Role
    texts: list[str]
    frozen: Tensor
    tables: list[TextTable]

    def replace(self, vectors: Tensor) -> None:
        """Let all networks read these vectors `[n, D]`."""
        for table in self.tables:
            table.replace(vectors)


def text_groups(agent: Agent, reading: Data) -> list[TextGroup]:
    """The texts of `reading`, the data that the agent's tracker was built on, of which the agent reads the vectors from tables."""
    tables = [module for module in agent.modules() if isinstance(module, TextTable)]
    groups = []
    for role, texts in reading.texts.items():
        # copies read one and the same memory
        own = {table.shared_id: table for table in tables if table.source is texts.vectors}
        if texts.vectors is not None and own:
            groups.append(TextGroup(role, texts.texts, texts.vectors, list(own.values())))
    return groups


class TunedEncoder(Encoder):
    """An encoder under the trained parameters in a file, which its fingerprint names: a store keeps these vectors apart from others.

    The model is loaded, and the parameters with it, at the first `encode`.
    """

    def __init__(self, encoder: Tunable, weights: Path) -> None:
        self.encoder = encoder
        self.weights = weights
        self._loaded = False

    @property
    def dim(self) -> int:
        """The untuned model's."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """The untuned model's, how it was tuned, and the contents of the file."""
        tuning = self.encoder.tuning
        assert tuning is not None
        return f"{self.encoder.fingerprint} tuned {tuning.method} {file_sha256(self.weights)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` under the trained parameters."""
        if not self._loaded:
            # what the parameters start from is overwritten; the run's random numbers stay where they were, whatever is in the cache
            with torch.random.fork_rng(devices=[]):
                parameters = self.encoder.trainable()
            copy_into(parameters, load_tensors(parameters, self.weights))
            self._loaded = True
        return self.encoder.encode(texts, role)


def read_tuned(agent: Agent, reading: Data, encoder: Tunable, agent_weights: Path, store: Path, reduction: AffineMap | None) -> None:
    """Let an agent of the weights in a file read what the language model tuned with it gives; vectors are kept in the folder `store`.

    Parameters
    ----------
    reading: the data that the agent's state tracker was built on.
    reduction: from the encoder's vectors to those of `reading`; None: they are one.

    Raises
    ------
    CheckpointError: if the model's file is missing, damaged or of another model.
    """
    tuned = EmbeddingStore(store, TunedEncoder(encoder, encoder_weights(agent_weights)))
    for group in text_groups(agent, reading):
        vectors = tuned.vectors(group.texts, group.role).to(group.frozen.device)
        group.replace(vectors if reduction is None else reduction(vectors))
    agent.texts_moved()


@torch.no_grad()
def copy_into(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Give parameters the values of the same name."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])
