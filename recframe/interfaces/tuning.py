"""Language models that are tuned while an agent learns: what an encoder offers for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from recframe.interfaces.encoder import Encoder, Role


@dataclass(frozen=True)
class Tuning:
    """How, and how often, a language model is tuned.

    method: in a few words, with all that its trained parameters do not tell of the vectors they give, such as LoRA's alpha.
    interval: of so many batches that the agent learns from, one also tunes the model.
    tokens: tokens, at most, of the texts that a tuning step encodes again with gradient.
    refresh_interval: tuning steps after which all texts are encoded again.
    """

    method: str
    interval: int
    tokens: int
    learning_rate: float
    refresh_interval: int


class Tunable(Encoder):
    """An encoder whose vectors can be differentiated by parameters of its own.

    Its `fingerprint` stays that of the model as it was loaded: vectors under trained parameters are filed under another, made of both.
    """

    @property
    @abstractmethod
    def tuning(self) -> Tuning | None:
        """How it is to be tuned; None: it is frozen."""

    @abstractmethod
    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters to train by name, alike in every process. The first call adds them to the model, if they are additional ones.

        What they start from is drawn from torch's process-wide generator.

        Raises
        ------
        EncoderError: if this model cannot be tuned so, or a library is missing.
        """

    @abstractmethod
    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """Vectors `[n, D]` as `encode` gives them, in one forward pass, without anything random such as dropout, and with gradient."""

    @abstractmethod
    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """How many tokens are read of each text."""
