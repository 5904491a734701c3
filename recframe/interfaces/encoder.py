"""Encoders: from texts to vectors. The embedding store, which calls them, removes duplicates, sorts by length and caches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np

from recframe.errors import ModelError
from recframe.interfaces.language_model import LanguageModel, NewModel
from recframe.interfaces.token_reading import TokenReading


class EncoderError(ModelError):
    """An encoder's model that cannot be found, loaded or used as configured; the message says what to do."""


Role = Literal["item", "user", "context"]
"""The origin of a text: an item, a user's profile, or the context of a visit. Models with a prompt for each role use it."""


class Encoder(ABC):
    """Turns texts into vectors of one length.

    Implement:

    - `dim` (property): D, the length of the vectors.
    - `fingerprint` (property): a string that changes whenever the vectors would, other than by a change of code.
    - `encode(texts, role)`: vectors, float32 `[n, D]`, in the order of the texts.

    Optional: `fit` to learn from a run's texts, `text_lengths` where long texts are cut, `parts` for an encoder made of others,
    `token_reading` for explanations by integrated gradients, `language_model` for `recframe pretrain`.

    Built as `factory(config, device)`. Building must be instant: load the model at the first `encode`, so that a run
    whose texts are all in the cache never loads it.

    Attributes
    ----------
    reads: False for an encoder that ignores texts: its vectors have length 0, `[n, 0]`. Items then differ only by the embedding
        that the state tracker learns of each, if it learns any.
    built_from: set by the core when a run builds the encoder: distribution, version and a hash of its code. The key of cached vectors has
        it, so that an encoder whose code was changed encodes again. None: the code is not known, so that no vectors are cached.
    """

    reads: bool = True
    built_from: str | None = ""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, the length of the vectors."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Any string that changes whenever the vectors would: with model weights, relevant options, and what `fit` learned.

        The encoder's own code need not be in it: see `built_from`.
        """

    @abstractmethod
    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors of `texts`, float32 `[n, D]`, in order. A text's vector must not depend on the other texts of the call."""

    def fit(self, texts: Sequence[str]) -> None:
        """Learn from all texts of a run; called once, before anything else. Encoders that learn nothing do not override it."""

    def text_lengths(self, texts: Sequence[str], role: Role) -> np.ndarray | None:
        """How long the texts are that the model does not read whole, `[n, 2]`: all tokens, and the tokens read; zeros for other texts.

        The store calls it after `encode`, with the same texts, and caches the numbers with their vectors. None: the encoder has no limit,
        or does not know it.
        """
        return None

    @property
    def parts(self) -> Sequence[tuple[Encoder, float]]:
        """The encoders whose vectors, each times its factor, are concatenated in this one's; empty for an encoder not made of others.

        The store calls each part separately, so that a part's vectors are shared with every run that uses it alone.
        """
        return ()

    def token_reading(self, text: str, role: Role) -> TokenReading | None:
        """The text as its tokens' vectors, and the differentiable function of these that `encode` is.

        None: the vectors are no such function, so that explanations read the text again without each word.
        """
        return None

    def language_model(self, texts: Sequence[str], new: NewModel | None, mask_probability: float) -> LanguageModel:
        """The encoder's model for `recframe pretrain`; required of an encoder that registers `provides={"pretraining"}`.

        New weights are drawn from torch's global generator.

        Parameters
        ----------
        texts: the training texts; a new model's tokenizer is learned from them.
        new: None continues training the encoder's own model; otherwise a model of these sizes is made.
        mask_probability: share of the tokens that are predicted, where the objective is masked language modelling.

        Raises
        ------
        EncoderError: if the model cannot be loaded, or cannot be made as asked.
        """
        raise EncoderError(f"{type(self).__name__} has no language model that can be pretrained")
