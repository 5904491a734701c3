"""Base class of the encoders that read with a language model: the source of the model, prompts, and the fingerprint."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from recframe.interfaces import Role, Tunable, TuningSettings
from recframe.language_models import ModelSource, find_model, model_sha256
from recframe_plugins.encoders.language_models.config import ModelConfig
from recframe_plugins.encoders.language_models.tuning import trainable, tuning_settings

# that a tokenizer adds to a text
MOST_SPECIAL_TOKENS = 4


class ModelEncoder(Tunable):
    """An encoder whose model is loaded when the first text is encoded.

    A subclass encodes in `encoded`. Its vectors depend on its `name` and `own_options`, in addition to the model's files and the common
    options.

    Raises
    ------
    EncoderError: at first use, if the model is not found or does not load; one line that says what to do.
    """

    def __init__(self, config: ModelConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.prompts = config.prompts

    @property
    @abstractmethod
    def name(self) -> str:
        """The encoder's name in configs."""

    @property
    @abstractmethod
    def own_options(self) -> dict[str, Any]:
        """The options beyond `ModelConfig`'s that change vectors, and the precision."""

    @property
    @abstractmethod
    def declared_dim(self) -> int | None:
        """The length of the vectors according to the model's files; None if they do not give it."""

    @abstractmethod
    def encoded(self, texts: list[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of at least one text, with the role's prompt."""

    @property
    @abstractmethod
    def reads_tokens(self) -> int | None:
        """The most tokens that the model reads of a text, prompt included; None if it has no limit or no tokenizer."""

    @abstractmethod
    def whole_token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens of each text, with prompt and special tokens, whatever the limit. Called only where there is a limit."""

    @property
    @abstractmethod
    def tunable_model(self) -> nn.Module:
        """The model, in which exactly the parameters that `config.tuning` names require a gradient."""

    @property
    def dim(self) -> int:
        """The length of the vectors, if possible from the model's config files, so that the model need not be loaded."""
        return self.encoded([""], "item").shape[1] if self.declared_dim is None else self.declared_dim

    @cached_property
    def fingerprint(self) -> str:
        """The contents of the model's files, and the options that change vectors; not the location of the files."""
        options = {
            "files": model_sha256(self.source.folder, self.source.sha256),
            "trust_remote_code": self.config.trust_remote_code,
            "normalize": self.config.normalize,
            "max_length": self.config.max_length,
            "prompts": self.prompts,
            **self.own_options,
        }
        return f"{self.name} {json.dumps(options, sort_keys=True)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of the texts with the role's prompt, of length one if `config.normalize`."""
        return self.encoded(list(texts), role) if len(texts) else np.empty((0, self.dim), dtype=np.float32)

    def text_lengths(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """All tokens and the tokens read of the texts that are cut, `[n, 2]`; zeros for the others.

        Only texts that can be too long are tokenized again: a text has hardly ever more tokens than bytes.
        """
        lengths = np.zeros((len(texts), 2), dtype=np.int64)
        limit = self.reads_tokens
        if limit is None:
            return lengths
        other = MOST_SPECIAL_TOKENS + len(self.prompt(role).encode())
        long = [row for row, text in enumerate(texts) if len(text.encode("utf-8", "surrogatepass")) + other > limit]
        for row, tokens in zip(long, self.whole_token_counts([texts[row] for row in long], role) if long else (), strict=True):
            if tokens > limit:
                lengths[row] = tokens, limit
        return lengths

    def prompt(self, role: Role) -> str:
        """What is put before each text of a role."""
        return self.prompts[role]

    @property
    def tuning(self) -> TuningSettings | None:
        """The tuning settings of the config."""
        return tuning_settings(self.config)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that `config.tuning` names; the first call adds them to the model, if they are additional ones."""
        return trainable(self.tunable_model)

    @cached_property
    def source(self) -> ModelSource:
        """The model's files."""
        return find_model(self.config.model, self.config.revision, self.config.trust_remote_code)
