"""The encoder `sentence_transformers`: language models of the sentence-transformers family."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import EncoderError, Role, TokenReading, token_batches
from recframe.language_models import check_loadable, declared_dim, loading, position_limit, verify_files
from recframe_plugins.encoders.language_models.model_encoder import ModelEncoder
from recframe_plugins.encoders.language_models.token_reading import read_tokens
from recframe_plugins.encoders.language_models.tuning import tunable
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformersEncoder(ModelEncoder):
    """Sentence embeddings of a language model (Reimers and Gurevych, 2019).

    Only safetensors are loaded. The weights of the packaged model are first checked against the hash of the upstream file. The network
    is used only if `config.model` is a hub name that is not in the local hub cache.
    """

    config: SentenceTransformersConfig

    @property
    def name(self) -> str:
        """The encoder's name in configs."""
        return "sentence_transformers"

    @property
    def own_options(self) -> dict[str, Any]:
        """The precision, unless it is single: vectors in single precision are cached without it."""
        return {} if self.config.dtype == "float32" else {"dtype": self.config.dtype}

    @property
    def declared_dim(self) -> int | None:
        """The length of what the last module returns."""
        return declared_dim(self.source.folder)

    def encoded(self, texts: list[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]`, in batches as configured."""
        prompt = self.prompt(role)
        if self.config.batch_tokens is None:
            return self._forward(texts, prompt, self.config.batch_size)
        batches = list(token_batches(self.token_counts(texts, role), self.config.batch_tokens))
        vectors = np.concatenate([self._forward([texts[row] for row in batch], prompt, len(batch)) for batch in batches])
        restored = np.empty_like(vectors)
        restored[np.concatenate(batches)] = vectors
        return restored

    @cached_property
    def tunable_model(self) -> nn.Module:
        """The first module's transformer in its tunable form; nothing else is trained."""
        first, name = self._model[0], self._transformer_name
        if name is None:
            raise EncoderError(f"encoder.tuning={self.config.tuning}: {self.config.model} does not begin with a transformer to be tuned")
        self._model.requires_grad_(False)
        max_length: Any = self._model.max_seq_length
        setattr(first, name, tunable(getattr(first, name), self.config, int(max_length)))
        transformer: nn.Module = getattr(first, name)
        return transformer

    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors `[n, D]` that `encode` gives, in one padded batch, with the gradient to the model's parameters."""
        vectors: Tensor = self._model(self._features(texts, role))["sentence_embedding"][:, : self._model.truncate_dim]
        return F.normalize(vectors, dim=1) if self.config.normalize else vectors

    def token_reading(self, text: str, role: Role) -> TokenReading | None:
        """The text as its tokens' vectors; None for a model that does not begin with a transformer."""
        name = self._transformer_name
        if name is None:
            return None
        model, length = getattr(self._model[0], name), self._model.max_seq_length
        return read_tokens(model, self._tokenizer, text, self.prompt(role), length, lambda texts: self.differentiable(texts, role))

    @property
    def _transformer_name(self) -> str | None:
        """What the first module calls its transformer; releases before 6 call it `auto_model`."""
        modules = self._model[0]._modules
        return next((name for name in ("model", "auto_model") if isinstance(modules.get(name), nn.Module)), None)

    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens read of each text, including prompt and special tokens.

        For a model without a tokenizer of its own, the number of bytes, which is rarely less.
        """
        if not callable(self._tokenizer):
            prompt = self.prompt(role)
            return [len((prompt + text).encode("utf-8", "surrogatepass")) for text in texts]
        return self._token_counts(texts, role, self._model.max_seq_length)

    @property
    def reads_tokens(self) -> int | None:
        """`max_length`, or what the model's authors chose."""
        limit: int | None = self._model.max_seq_length
        return limit if callable(self._tokenizer) else None

    def whole_token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens of each text with the role's prompt, not cut."""
        return self._token_counts(texts, role, None)

    @property
    def _tokenizer(self) -> Any:
        """The tokenizer of the first module; None, or something that cannot be called, if the model has none of its own."""
        return getattr(self._model[0], "tokenizer", None)

    def _token_counts(self, texts: Sequence[str], role: Role, limit: int | None) -> list[int]:
        prompt = self.prompt(role)
        prompted = [prompt + text for text in texts]
        options = {"return_attention_mask": False, "padding": False, "verbose": False}
        tokens = self._tokenizer(prompted, truncation=limit is not None, max_length=limit, **options)["input_ids"]
        return [len(text) for text in tokens]

    def prompt(self, role: Role) -> str:
        """The configured prompt, or else the default prompt of the model's authors, if there is one."""
        return self.prompts[role] or self._model.prompts.get(self._model.default_prompt_name or "") or ""

    def _features(self, texts: Sequence[str], role: Role) -> dict[str, Any]:
        """A padded batch of tokens, in the form that the model takes."""
        prompt = self.prompt(role)
        if hasattr(self._model, "preprocess"):
            features = self._model.preprocess(list(texts), prompt=prompt or None)
        else:  # releases before 6
            features = self._model.tokenize([prompt + text for text in texts])
        return {name: value.to(self.device) if isinstance(value, Tensor) else value for name, value in features.items()}

    def _forward(self, texts: list[str], prompt: str, batch_size: int) -> np.ndarray:
        vectors = self._model.encode(
            texts,
            prompt=prompt or None,
            batch_size=batch_size,
            normalize_embeddings=self.config.normalize,
            convert_to_tensor=True,
            show_progress_bar=False,
        ).float()
        if self.config.normalize and self.config.dtype != "float32":
            # a vector of half precision has length one to three digits only
            vectors = F.normalize(vectors, dim=1)
        result: np.ndarray = vectors.cpu().numpy()
        return result

    @cached_property
    def _model(self) -> SentenceTransformer:
        source, dtype = self.source, getattr(torch, self.config.dtype)
        check_loadable(source.folder, self.config.trust_remote_code)
        verify_files(source.folder, source.sha256, source.remedy)
        # imported before the hub is set offline, because older releases of transformers keep that setting for good
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
            # a transformer was loaded in this dtype, except for the few numbers that must be precise, such as rotary frequencies
            if not hasattr(module, "auto_model"):
                module.to(dtype)
        model.eval()
        if self.config.max_length is not None:
            limit = position_limit(model)
            if limit is not None and self.config.max_length > limit:
                raise EncoderError(f"encoder.max_length={self.config.max_length}: {self.config.model} reads at most {limit} tokens")
            model.max_seq_length = self.config.max_length
        return model
