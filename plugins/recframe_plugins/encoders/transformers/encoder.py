"""The encoders `bert` and `gpt`: a transformer's token vectors, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import LanguageModel, NewModel, Role
from recframe_plugins.encoders.language_models.model_encoder import ModelEncoder
from recframe_plugins.encoders.language_models.model_folder import hidden_size
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.model import LoadedTransformer, load_transformer
from recframe_plugins.encoders.transformers.pooling import POOLING
from recframe_plugins.encoders.transformers.token_batches import token_batches
from recframe_plugins.encoders.transformers.tuning import tunable


class TransformerEncoder(ModelEncoder):
    """A transformer's last hidden states, pooled to one vector for each text.

    Attributes
    ----------
    transformer: the `LoadedTransformer`, loaded when first asked for.
    """

    config: BertConfig | GPTConfig

    @property
    def name(self) -> str:
        """What configs call it."""
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
        """Vectors `[n, D]` in batches of bounded tokens; each is left on the device until all are there."""
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
    def tunable_model(self) -> nn.Module:  # type: ignore[override]
        """The transformer, in its tunable form from now on."""
        loaded = self.transformer
        loaded.model = tunable(loaded.model, self.config, loaded.max_length)
        return loaded.model

    def differentiable(self, texts: Sequence[str], role: Role) -> Tensor:
        """Vectors `[n, D]` as `encode` gives them, in one padded batch, with the gradient to the model's parameters."""
        return self._vectors(self._tokens(texts, role))

    def token_counts(self, texts: Sequence[str], role: Role) -> list[int]:
        """How many tokens are read of each text, prompt and special tokens included."""
        return [len(tokens) for tokens in self._tokens(texts, role)]

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
        """What stands for a text without tokens, such as "" in GPT-2's eyes."""
        tokenizer = self.transformer.tokenizer
        tokens = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
        return next(int(token) for token in tokens if token is not None)

    def _tokens(self, texts: Sequence[str], role: Role) -> list[list[int]]:
        """The tokens of each text, cut to `max_length`, without padding; at least one."""
        prompt = self.prompts[role]
        encoded = self.transformer.tokenizer(
            [prompt + text for text in texts],
            truncation=True,
            max_length=self.transformer.max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [tokens or [self._blank] for tokens in encoded["input_ids"]]

    def _vectors(self, tokens: list[list[int]]) -> Tensor:
        """Vectors `[n, D]` of texts that go through the model side by side, padded on the right."""
        lengths = torch.tensor([len(text) for text in tokens])
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        ids = torch.full(mask.shape, int(self.transformer.tokenizer.pad_token_id or 0))
        ids[mask.bool()] = torch.tensor([token for text in tokens for token in text])
        mask = mask.to(self.device)
        # keys and values are kept for writing on, which nobody does here
        options = {"use_cache": False} if self.config.causal else {}
        hidden = self.transformer.model(input_ids=ids.to(self.device), attention_mask=mask, **options).last_hidden_state
        vectors = POOLING[self.config.pooling](hidden.float(), mask)
        return F.normalize(vectors, dim=1) if self.config.normalize else vectors
