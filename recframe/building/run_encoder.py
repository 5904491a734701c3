"""The encoder of a run for texts that are not in its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from omegaconf import DictConfig
from torch import Tensor

from recframe.building.component import build, component_of
from recframe.building.initial import initial_policy
from recframe.building.texts import texts_to_fit_on
from recframe.components import Kind
from recframe.embeddings import AffineMap
from recframe.embeddings.encoding import encode_checked
from recframe.interfaces import Data, Encoder, Interactions, Role
from recframe.logs import texts_in_training

CPU = torch.device("cpu")


def learned_from(cfg: DictConfig, data: Data, train: Interactions | None) -> list[str]:
    """The texts that the run's encoder has learned from; none if it learns nothing.

    data: as it was loaded.   train: the logged interactions that the run learns from, or None.
    """
    encoder: Encoder = build(component_of(Kind.ENCODER, cfg.encoder), cfg.encoder, device=CPU)
    if type(encoder).fit is Encoder.fit:
        return []
    rows: Mapping[Role, Tensor] = {} if train is None else texts_in_training(train)
    return texts_to_fit_on(data, cfg, rows, initial_policy(cfg))


class RunEncoder:
    """Vectors `[n, D]` of texts as the agent reads them: encoded, and reduced as those of the data. The encoder is built when it is needed.

    Texts are encoded one by one: in a batch, the last digits of a vector could depend on the other texts.
    """

    def __init__(self, cfg: DictConfig, data: Data, train: Interactions | None, reduction: AffineMap | None, device: torch.device) -> None:
        self._parts = cfg, data, train
        self._reduction, self._device = reduction, device
        self._encoder: Encoder | None = None

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """The vectors.

        Raises
        ------
        recframe.embeddings.EmbeddingError: the encoder gives no finite vector.
        """
        vectors = [torch.from_numpy(encode_checked(self._there(), [text], "user")) for text in texts]
        encoded = torch.cat(vectors).to(self._device)
        return encoded if self._reduction is None else self._reduction(encoded)

    def _there(self) -> Encoder:
        if self._encoder is None:
            cfg, _, _ = self._parts
            self._encoder = build(component_of(Kind.ENCODER, cfg.encoder), cfg.encoder, device=self._device)
            if texts := learned_from(*self._parts):
                self._encoder.fit(texts)
        return self._encoder
