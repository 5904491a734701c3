"""Language models of the sentence-transformers family as encoders, loaded only when a text is not in the cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import EncoderError, Role, Tunable, Tuning
from recframe_plugins.encoders.config import SentenceTransformersConfig
from recframe_plugins.encoders.model_folder import check_loadable, declared_dim, model_sha256, verify_files
from recframe_plugins.encoders.model_loading import loading, position_limit
from recframe_plugins.encoders.model_sources import ModelSource, find_model
from recframe_plugins.encoders.token_batches import token_batches
from recframe_plugins.encoders.tuning import trainable, tunable, tuning_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformersEncoder(Tunable):
    """A language model's sentence embeddings (Reimers and Gurevych, 2019).

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
        self._tunable = False

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
            # vectors in single precision are found by the name they always had
            **({} if self.config.dtype == "float32" else {"dtype": self.config.dtype}),
        }
        return f"sentence_transformers {json.dumps(options, sort_keys=True)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of the texts with the role's prompt, of length one if `config.normalize`."""
        if not len(texts):
            return np.empty((0, self.dim), dtype=np.float32)
        return self._encode(list(texts), self._prompts[role] or None)

    @property
    def tuning(self) -> Tuning | None:
        """As configured."""
        return tuning_of(self.config)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that `config.tuning` names, of the transformer alone; afterwards the model is one that has them."""
        first = self._model[0]
        # releases before 6 call it `auto_model`
        name = next((name for name in ("model", "auto_model") if isinstance(first._modules.get(name), nn.Module)), None)
        if name is None:
            raise EncoderError(f"encoder.tuning={self.config.tuning}: {self.config.model} does not begin with a transformer to be tuned")
        if not self._tunable:
            self._model.requires_grad_(False)
            setattr(first, name, tunable(getattr(first, name), self.config, int(self._model.max_seq_length)))
            self._tunable = True
        return trainable(getattr(first, name))

    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """Vectors `[n, D]` as `encode` gives them, in one padded batch, with the gradient to the model's parameters."""
        vectors: Tensor = self._model(self._features(texts, role))["sentence_embedding"]
        return F.normalize(vectors, dim=1) if self.config.normalize else vectors

    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """How many tokens are read of each text, prompt and special tokens included."""
        return self._lengths(list(texts), self._prompts[role] or None)

    def _features(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """A padded batch of tokens, as the model takes it."""
        prompt = self._prompts[role]
        if hasattr(self._model, "preprocess"):
            features = self._model.preprocess(list(texts), prompt=prompt or None)
        else:  # releases before 6
            features = self._model.tokenize([prompt + text for text in texts])
        return {name: value.to(self.device) if isinstance(value, Tensor) else value for name, value in features.items()}

    def _encode(self, texts: list[str], prompt: str | None) -> np.ndarray:
        if self.config.batch_tokens is None:
            return self._forward(texts, prompt, self.config.batch_size)
        batches = list(token_batches(self._lengths(texts, prompt), self.config.batch_tokens))
        vectors = np.concatenate([self._forward([texts[row] for row in batch], prompt, len(batch)) for batch in batches])
        restored = np.empty_like(vectors)
        restored[np.concatenate(batches)] = vectors
        return restored

    def _forward(self, texts: list[str], prompt: str | None, batch_size: int) -> np.ndarray:
        vectors = self._model.encode(
            texts,
            prompt=prompt,
            batch_size=batch_size,
            normalize_embeddings=self.config.normalize,
            convert_to_tensor=True,
            show_progress_bar=False,
        ).float()
        if self.config.normalize and self.config.dtype != "float32":
            # what has length one to three digits has it to seven
            vectors = F.normalize(vectors, dim=1)
        result: np.ndarray = vectors.cpu().numpy()
        return result

    def _lengths(self, texts: list[str], prompt: str | None) -> list[int]:
        """The number of tokens of each text, or of its bytes if the model has no tokenizer of its own kind: seldom less."""
        tokenizer = getattr(self._model[0], "tokenizer", None)
        prompted = [(prompt or "") + text for text in texts]
        if not callable(tokenizer):
            return [len(text.encode("utf-8", "surrogatepass")) for text in prompted]
        limit = self._model.max_seq_length
        tokens = tokenizer(prompted, truncation=limit is not None, max_length=limit, return_attention_mask=False, padding=False)[
            "input_ids"
        ]
        return [len(text) for text in tokens]

    @cached_property
    def _source(self) -> ModelSource:
        return find_model(self.config.model, self.config.revision, self.config.trust_remote_code)

    @cached_property
    def _model(self) -> SentenceTransformer:
        source, dtype = self._source, getattr(torch, self.config.dtype)
        check_loadable(source.folder, self.config.trust_remote_code)
        verify_files(source.folder, source.sha256, source.remedy)
        # imported before the hub is cut off: older releases of transformers remember for good what they find then
        from sentence_transformers import SentenceTransformer

        with loading(self.config.model, source):
            model = SentenceTransformer(
                str(source.folder),
                device=str(self.device),
                trust_remote_code=self.config.trust_remote_code,
                local_files_only=not source.online,
                model_kwargs={"use_safetensors": True, "dtype": dtype},
            )
        for module in model.children():
            # a transformer was loaded so, and keeps the few numbers precise that must be, such as rotary frequencies
            if not hasattr(module, "auto_model"):
                module.to(dtype)
        model.eval()
        if self.config.max_length is not None:
            limit = position_limit(model)
            if limit is not None and self.config.max_length > limit:
                raise EncoderError(f"encoder.max_length={self.config.max_length}: {self.config.model} reads at most {limit} tokens")
            model.max_seq_length = self.config.max_length
        return model
