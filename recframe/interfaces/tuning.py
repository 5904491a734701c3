"""Encoders whose language model can be tuned while an agent learns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from recframe.interfaces.encoder import Encoder, Role


@dataclass(frozen=True)
class TuningSettings:
    """How, and how often, a language model is tuned.

    method: in a few words, including everything that affects the vectors but is not a trained parameter, such as LoRA's alpha.
    interval: one of every `interval` batches that the agent learns from also tunes the model.
    tokens: the largest number of tokens of texts that a tuning step encodes again with gradients.
    refresh_interval: tuning steps after which all texts are encoded again.
    """

    method: str
    interval: int
    tokens: int
    learning_rate: float
    refresh_interval: int


class Tunable(Encoder):
    """An encoder whose vectors are differentiable functions of its own parameters.

    Implement, in addition to `dim`, `fingerprint` and `encode`:

    - `tuning` (property): the `TuningSettings`, or None if it is frozen.
    - `trainable()`: the parameters to train, by name.
    - `differentiable(texts, role)`: vectors `[n, D]` with gradient.
    - `token_counts(texts, role)`: the number of tokens that are read of each text.

    Its `fingerprint` stays that of the model as it was loaded. Vectors under trained parameters are cached under another fingerprint,
    made of both.
    """

    @property
    @abstractmethod
    def tuning(self) -> TuningSettings | None:
        """How it is tuned; None: it is frozen."""

    @abstractmethod
    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters to train by name, the same in every process. The first call adds them to the model if they are additional ones.

        Their initial values are drawn from torch's global generator.

        Raises
        ------
        EncoderError: if this model cannot be tuned in this way, or a library is missing.
        """

    @abstractmethod
    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors `[n, D]` of `encode`, with gradient, in one forward pass without randomness such as dropout."""

    @abstractmethod
    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens that are read of each text."""
