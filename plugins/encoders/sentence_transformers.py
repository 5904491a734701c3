"""Language models of the sentence-transformers family as encoders, loaded only when a text is not in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from recframe.interfaces import Encoder, EncoderError, Role
from recframe_plugins.encoders.config import SentenceTransformersConfig
from recframe_plugins.encoders.model_folder import check_loadable, declared_dim, model_sha256, verify_files
from recframe_plugins.encoders.model_sources import ModelSource, find_model, hub_offline

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformersEncoder(Encoder):
    """A language model's sentence embeddings (Reimers and Gurevych, 2019), in single precision.

    Only safetensors are loaded; the packaged model's weights are first checked against the hash of the upstream file, and nothing
    reaches for the network unless `config.model` is a hub name that is not in the local hub cache.

    Raises
    ------
    EncoderError: at first use, if the model cannot be had or loaded; one line that says what to do.
    """

    def __init__(self, config: SentenceTransformersConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self._prompts = {"item": config.item_prompt, "user": config.user_prompt, "context": config.context_prompt}

    @property
    def dim(self) -> int:
        """The length of the vectors, from the model's config files where they tell it, so that the model need not be loaded."""
        declared = declared_dim(self._source.folder)
        return declared if declared is not None else int(self._encode([""], None).shape[1])

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """The contents of the model's files, and the options that change vectors; not where the files lie."""
        options = {
            "files": model_sha256(self._source.folder, self._source.sha256),
            "trust_remote_code": self.config.trust_remote_code,
            "normalize": self.config.normalize,
            "max_length": self.config.max_length,
            "prompts": self._prompts,
        }
        return f"sentence_transformers {json.dumps(options, sort_keys=True)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of the texts with the role's prompt, of length one if `config.normalize`."""
        if not len(texts):
            return np.empty((0, self.dim), dtype=np.float32)
        return self._encode(list(texts), self._prompts[role] or None)

    def _encode(self, texts: list[str], prompt: str | None) -> np.ndarray:
        vectors: np.ndarray = self._model.encode(
            texts,
            prompt=prompt,
            batch_size=self.config.batch_size,
            normalize_embeddings=self.config.normalize,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return vectors.astype(np.float32, copy=False)

    @cached_property
    def _source(self) -> ModelSource:
        return find_model(self.config.model, self.config.revision, self.config.trust_remote_code)

    @cached_property
    def _model(self) -> SentenceTransformer:
        source = self._source
        check_loadable(source.folder, self.config.trust_remote_code)
        verify_files(source.folder, source.sha256, source.remedy)
        # imported before the hub is cut off: older releases of transformers remember for good what they find then
        from sentence_transformers import SentenceTransformer

        with nullcontext() if source.online else hub_offline(), _quiet_loading():
            try:
                model = SentenceTransformer(
                    str(source.folder),
                    device=str(self.device),
                    trust_remote_code=self.config.trust_remote_code,
                    local_files_only=not source.online,
                    model_kwargs={"use_safetensors": True},
                )
            except (OSError, ValueError, ImportError, KeyError, SafetensorError) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise EncoderError(f"encoder.model={self.config.model}: the files in {source.folder} do not load: {reason}") from error
        model.float().eval()
        if self.config.max_length is not None:
            limit = _position_limit(model)
            if limit is not None and self.config.max_length > limit:
                raise EncoderError(f"encoder.max_length={self.config.max_length}: {self.config.model} reads at most {limit} tokens")
            model.max_seq_length = self.config.max_length
        return model


def _position_limit(model: nn.Module) -> int | None:
    """The longest text, in tokens, for which the model has positions; None where it does not say."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin number positions from just above the padding index
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    for module in model.modules():
        limit = getattr(getattr(module, "config", None), "max_position_embeddings", None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """Without transformers' progress bar, which a model that loads in a second does not need."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
