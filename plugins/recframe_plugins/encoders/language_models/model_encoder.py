"""What the encoders made of a language model have in common: where it comes from, prompts, and what their vectors depend on."""

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
from recframe_plugins.encoders.language_models.config import ModelConfig
from recframe_plugins.encoders.language_models.model_folder import model_sha256
from recframe_plugins.encoders.language_models.sources import ModelSource, find_model
from recframe_plugins.encoders.transformers.tuning import trainable, tuning_of


class ModelEncoder(Tunable):
    """An encoder whose model is loaded when a text is first encoded.

    A subclass says in `encoded` how; its `name` and `own_options`, beside the model's files and the common options, are what its vectors
    depend on.

    Raises
    ------
    EncoderError: at first use, if the model cannot be had or loaded; one line that says what to do.
    """

    def __init__(self, config: ModelConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.prompts: dict[Role, str] = {"item": config.item_prompt, "user": config.user_prompt, "context": config.context_prompt}

    @property
    @abstractmethod
    def name(self) -> str:
        """What configs call it."""

    @property
    @abstractmethod
    def own_options(self) -> dict[str, Any]:
        """Its options beyond `ModelConfig`'s, and its precision, as far as they change vectors."""

    @property
    @abstractmethod
    def declared_dim(self) -> int | None:
        """The length of the vectors as the model's files tell it; None where they do not."""

    @abstractmethod
    def encoded(self, texts: list[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of one text or more with the role's prompt."""

    @property
    @abstractmethod
    def tunable_model(self) -> nn.Module:
        """The model, of which just what `config.tuning` names requires a gradient."""

    @property
    def dim(self) -> int:
        """The length of the vectors, from the model's config files where they tell it, so that the model need not be loaded."""
        return self.encoded([""], "item").shape[1] if self.declared_dim is None else self.declared_dim

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """The contents of the model's files, and the options that change vectors; not where the files lie."""
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

    @property
    def tuning(self) -> TuningSettings | None:
        """As configured."""
        return tuning_of(self.config)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that `config.tuning` names; afterwards the model is one that has them."""
        return trainable(self.tunable_model)

    @cached_property
    def source(self) -> ModelSource:
        """The model's files."""
        return find_model(self.config.model, self.config.revision, self.config.trust_remote_code)
