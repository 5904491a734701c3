"""Texts under a tuned language model: which texts an agent reads, and replacing their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recframe.embeddings import AffineMap, EmbeddingStore
from recframe.files import file_sha256
from recframe.interfaces import Agent, Data, Encoder, Role, TextTable, Tunable, tables_of
from recframe.tracking.weights import encoder_weights, load_tensors, require_weights


class TextGroup(NamedTuple):
    """The texts of a role that an agent reads.

    texts: n strings.   frozen: their vectors `[n, D]` before tuning.   tables: those that the agent reads them from, one per set of copies.
    """

    role: Role
    texts: list[str]
    frozen: Tensor
    tables: list[TextTable]

    def replace(self, vectors: Tensor) -> None:
        """Replace the vectors `[n, D]` that all networks read."""
        for table in self.tables:
            table.replace(vectors)


def text_groups(agent: Agent, reading: Data) -> list[TextGroup]:
    """The texts whose vectors the agent reads from tables; `reading` is the data that the agent's tracker was built on."""
    groups = []
    for role, texts in reading.texts.items():
        if texts.vectors is not None and (tables := tables_of(agent, texts.vectors)):
            groups.append(TextGroup(role, texts.texts, texts.vectors, tables))
    return groups


class TunedEncoder(Encoder):
    """An encoder with the trained parameters in a file. Its fingerprint covers the file, so that a store keeps these vectors separately.

    The model and the parameters are loaded at the first `encode`.
    """

    def __init__(self, encoder: Tunable, weights: Path) -> None:
        self.encoder = encoder
        self.weights = weights
        self._loaded = False
        self.built_from = encoder.built_from

    @property
    def dim(self) -> int:
        """The dimension of the untuned model."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """The untuned model's fingerprint, the method of tuning, and the contents of the file."""
        tuning = self.encoder.tuning
        assert tuning is not None
        require_weights(self.weights)
        return f"{self.encoder.fingerprint} tuned {tuning.method} {file_sha256(self.weights)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` under the trained parameters."""
        if not self._loaded:
            # the initial values are overwritten; the run's random state is restored, so that it does not depend on the cache
            with torch.random.fork_rng(devices=[]):
                parameters = self.encoder.trainable()
            copy_into(parameters, load_tensors(parameters, self.weights))
            self._loaded = True
        return self.encoder.encode(texts, role)


def read_tuned(
    agent: Agent, reading: Data, encoder: Tunable, agent_weights: Path, store: Path | None, reduction: AffineMap | None
) -> dict[Role, Tensor]:
    """Let an agent with the weights in a file read the vectors of the language model tuned with it.

    Parameters
    ----------
    reading: the data that the agent's state tracker was built on.
    store: the folder that the vectors are cached in; None: they are not.
    reduction: maps the encoder's vectors to those of `reading`; None: they are the same.

    Raises
    ------
    CheckpointError: if the model's file is missing, damaged or from another model.

    Returns
    -------
    The vectors of the texts of each role that the agent reads.
    """
    tuned = EmbeddingStore(store, TunedEncoder(encoder, encoder_weights(agent_weights)))
    read: dict[Role, Tensor] = {}
    for group in text_groups(agent, reading):
        vectors = tuned.vectors(group.texts, group.role).to(group.frozen.device)
        read[group.role] = vectors if reduction is None else reduction(vectors)
        group.replace(read[group.role])
    agent.texts_moved()
    return read


@torch.no_grad()
def copy_into(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Set parameters to the values of the same name."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])
