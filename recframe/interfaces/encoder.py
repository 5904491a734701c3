"""Encoders: text to vectors. The embedding store above them removes repeats, sorts by length and caches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np

from recframe.errors import UserError
from recframe.interfaces.language_model import LanguageModel, NewModel


class EncoderError(UserError, ValueError):
    """A model that cannot be had, loaded or used as configured; the message says what to do."""


Role = Literal["item", "user", "context"]
"""What a text is: an item's, a user's profile, or the context of a visit. Models with prompts per role use it."""


class Encoder(ABC):
    """Turns texts into vectors of one length.

    Built as `factory(config, device)`. Building must be instant: a model is loaded at the first `encode`, so that a run
    whose texts are all in the cache never loads it.

    Attributes
    ----------
    reads: whether it looks at texts at all. The vectors of one that does not have no numbers, `[n, 0]`: items are then told apart
        by what is learned of each, if the state tracker learns that.
    """

    reads: bool = True

    @property
    def parts(self) -> Sequence[tuple[Encoder, float]]:
        """The encoders whose vectors, each times its factor, stand side by side in this one's; empty for one that is not made of others.

        The store asks each of them by itself, so that a part's vectors are shared with every run that uses it alone.
        """
        return ()

    def fit(self, texts: Sequence[str]) -> None:
        """Learn from all the texts of a run; called once, before anything else. Encoders with nothing to learn leave it out."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, the length of the vectors."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever the vectors would: model weights, options that matter, what `fit` learned from. Any string."""

    @abstractmethod
    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors of `texts`, float32 `[n, D]`, in order. A text's vector must not depend on the texts beside it."""

    def language_model(self, texts: Sequence[str], new: NewModel | None, mask_probability: float) -> LanguageModel:
        """The encoder's model for `recframe pretrain`; an encoder that registers `provides={"pretraining"}` has it.

        Weights that are not there yet are drawn from torch's process-wide generator.

        Parameters
        ----------
        texts: those that it will be trained on; a new model's tokenizer is learned from them.
        new: None goes on with the encoder's own model; else one of these sizes is made.
        mask_probability: share of the tokens that are predicted, where the objective is to predict masked ones.

        Raises
        ------
        EncoderError: if the model cannot be had, or made as asked.
        """
        raise EncoderError(f"{type(self).__name__} has no language model that could be pretrained")
