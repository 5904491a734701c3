"""Language models in training: what an encoder provides for training its model on texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class NewModel:
    """The sizes of a model that is made from scratch, and the tokenizer that it learns from the texts.

    vocabulary: the largest number of tokens in it.   max_length: the largest number of tokens read of a text.
    hidden_size: numbers in the vector of a token, a multiple of `heads`.
    tokenizer: a name that the encoder knows, such as "bpe"; None: the usual one for this kind of model.
    """

    vocabulary: int
    layers: int
    heads: int
    hidden_size: int
    max_length: int
    tokenizer: str | None = None


class TokenLoss(NamedTuple):
    """The loss of a batch: the summed negative log-likelihood (nats) of the predicted tokens, and their number."""

    total: Tensor
    tokens: int


class LanguageModel(nn.Module, ABC):
    """A language model with its tokenizer and its training objective.

    Implement:

    - `objective` (attribute): what is predicted, in one or two words for messages ("masked tokens", "the next token").
    - `token_counts(texts)`: the number of tokens that the model reads of each text.
    - `batch(texts, generator)`: the texts as one padded batch.
    - `loss(batch)`: the `TokenLoss` of a batch.
    - `save(folder)`: write the model so that the encoder can load it.
    """

    objective: str

    @abstractmethod
    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens that the model reads of each text, after truncation."""

    @abstractmethod
    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """The texts as one padded batch, on the CPU. Random parts, such as masks, are drawn from `generator` (on the CPU)."""

    @abstractmethod
    def loss(self, batch: dict[str, Tensor]) -> TokenLoss:
        """The loss of a batch, on the model's device."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into an empty folder, from which the encoder loads it with `encoder.model=FOLDER`."""
