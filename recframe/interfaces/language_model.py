"""Language models in training: what an encoder gives out when its model is to be trained on texts, rather than to read them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class NewModel:
    """The sizes of a model that is made from nothing, and how its tokenizer, learned from the texts, cuts them up.

    vocabulary: at most so many tokens.   max_length: tokens read of a text.
    hidden_size: numbers in the vector of a token, a multiple of `heads`.
    tokenizer: a name that the encoder knows, such as "bpe"; None: the usual one for its kind of model.
    """

    vocabulary: int
    layers: int
    heads: int
    hidden_size: int
    max_length: int
    tokenizer: str | None = None


class TokenLoss(NamedTuple):
    """The loss of a batch: the summed negative log-likelihood (nats) of the tokens it asks for, and how many those are."""

    total: Tensor
    tokens: int


class LanguageModel(nn.Module, ABC):
    """A language model with its tokenizer, and what it is trained for.

    objective: what is predicted, in a word or two for people to read ("masked tokens", "the next token").
    """

    objective: str

    @abstractmethod
    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens the model reads of each text; what is too long for it is cut."""

    @abstractmethod
    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """The texts as one padded batch, on the CPU. What is random in it, such as masks, is drawn from `generator` (on the CPU)."""

    @abstractmethod
    def loss(self, batch: dict[str, Tensor]) -> TokenLoss:
        """The loss of a batch, on the model's device."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into an empty folder, so that the encoder can read texts with it under `encoder.model=FOLDER`."""
