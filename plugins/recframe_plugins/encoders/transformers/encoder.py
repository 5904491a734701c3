"""The encoders `bert` and `gpt`: the pooled token vectors of a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import LanguageModel, NewModel, Role, TokenReading, token_batches
from recframe.language_models import hidden_size
from recframe_plugins.encoders.language_models.model_encoder import ModelEncoder
from recframe_plugins.encoders.language_models.token_reading import read_tokens
from recframe_plugins.encoders.language_models.tuning import tunable
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.model import LoadedTransformer, load_transformer
from recframe_plugins.encoders.transformers.pooling import POOLING
from recframe_plugins.encoders.transformers.tokens import padded, token_ids


class TransformerEncoder(ModelEncoder):
    """A transformer's last hidden states, pooled to one vector for each text.

    Attributes
    ----------
    transformer: the `LoadedTransformer`, loaded at first use.
    """

    config: BertConfig | GPTConfig

    @property
    def name(self) -> str:
        """The encoder's name in configs."""
        return "gpt" if self.config.causal else "bert"

    @property
    def own_options(self) -> dict[str, Any]:
        """Pooling and precision."""
        return {"pooling": self.config.pooling, "dtype": self.config.dtype}

    @property
    def declared_dim(self) -> int | None:
        """The size of the hidden states."""
        return hidden_size(self.source.folder)

    @torch.no_grad()
    def encoded(self, texts: list[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` in batches of bounded tokens. They stay on the device until all are computed."""
        tokens = self._tokens(texts, role)
        rows, parts = [], []
        for batch in token_batches([len(text) for text in tokens], self.config.batch_tokens):
            rows += batch
            parts.append(self._vectors([tokens[row] for row in batch]))
        vectors = torch.cat(parts)
        restored = torch.empty_like(vectors)
        restored[torch.tensor(rows, device=vectors.device)] = vectors
        return restored.cpu().numpy()

    @cached_property
    def tunable_model(self) -> nn.Module:
        """The transformer; from the first access on, in its tunable form."""
        loaded = self.transformer
        model = tunable(loaded.model, self.config, loaded.max_length)
        loaded.model = cast(Any, model)  # peft's wrapper is called in the same way
        return model

    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors `[n, D]` that `encode` gives, in one padded batch, with the gradient to the model's parameters."""
        return self._vectors(self._tokens(texts, role))

    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens read of each text, including prompt and special tokens."""
        return [len(tokens) for tokens in self._tokens(texts, role)]

    def token_reading(self, text: str, role: Role) -> TokenReading | None:
        """The text as its tokens' vectors."""
        loaded = self.transformer
        prompt, length = self.prompt(role), loaded.max_length
        return read_tokens(loaded.model, loaded.tokenizer, text, prompt, length, lambda texts: self.differentiable(texts, role))

    @property
    def reads_tokens(self) -> int:
        """`max_length`, or what the model's authors chose."""
        return self.transformer.max_length

    def whole_token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """The number of tokens of each text with the role's prompt, not cut."""
        prompt = self.prompt(role)
        return [len(tokens) for tokens in token_ids(self.transformer.tokenizer, [prompt + text for text in texts], None)]

    def language_model(self, texts: Sequence[str], new: NewModel | None, mask_probability: float) -> LanguageModel:
        """The model with the head that predicts masked tokens or, for a causal one, the next token."""
        from recframe_plugins.encoders.transformers.language_modeling import language_model

        return language_model(self.config, self.device, texts, new, mask_probability)

    @cached_property
    def transformer(self) -> LoadedTransformer:
        """The model and its tokenizer."""
        return load_transformer(self.config, self.device)

    @cached_property
    def _blank(self) -> int:
        """The token for a text without tokens, such as "" for GPT-2."""
        tokenizer = self.transformer.tokenizer
        tokens: tuple[Any, ...] = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
        return next(int(token) for token in tokens if token is not None)

    def _tokens(self, texts: Sequence[str], role: Role) -> list[list[int]]:
        """The tokens of each text with the role's prompt, cut to `max_length`, without padding; at least one."""
        prompt = self.prompt(role)
        rows = token_ids(self.transformer.tokenizer, [prompt + text for text in texts], self.transformer.max_length)
        return [tokens or [self._blank] for tokens in rows]

    def _vectors(self, tokens: list[list[int]]) -> Tensor:
        """Vectors `[n, D]` of texts that go through the model in one batch, padded on the right."""
        ids, mask = padded(self.transformer.tokenizer, tokens)
        mask = mask.to(self.device)
        # keys and values are kept only for generating more tokens
        options = {"use_cache": False} if self.config.causal else {}
        hidden = self.transformer.model(input_ids=ids.to(self.device), attention_mask=mask, **options).last_hidden_state
        vectors = POOLING[self.config.pooling](hidden.float(), mask)
        return F.normalize(vectors, dim=1) if self.config.normalize else vectors
