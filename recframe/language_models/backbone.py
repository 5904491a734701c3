"""A causal transformer that is told which tokens each token sees, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaModel

from recframe.errors import ModelError

FEED_FORWARD = 4
"""Width of a feed-forward layer of a decoder that is made from scratch, in widths of a token."""


def first_deviation(width: int) -> float:
    """The standard deviation of first weights with which layers keep the size of what they read."""
    return float(width**-0.5)


class Backbone(nn.Module):
    """The layers of a causal language model of `transformers`, without its vocabulary: from token vectors to token vectors of E numbers.

    Masks and positions are given, not derived: prompts are padded, and several continuations of one prompt stand side by side.

    Dropout is off at all times: probabilities of learning must be those of acting. Weights that are not trained are not saved: they are in
    the model's own files, which a hash identifies.

    Parameters
    ----------
    model: the layers, with the input embeddings.   head: the output embeddings, where they are used.
    source: the hash of the model's files, 32 bytes, where not all weights are trained.
    """

    def __init__(self, model: Any, head: Any = None, source: bytes | None = None) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.dim: int = model.config.hidden_size
        self.register_buffer("source", None if source is None else torch.tensor(list(source), dtype=torch.uint8))
        frozen_as_buffers(self)
        self.train(False)

    @classmethod
    def from_scratch(cls, layers: int, width: int, heads: int) -> Backbone:
        """An untrained decoder in the style of Llama (Touvron et al., 2023), which has no vocabulary."""
        config = LlamaConfig(
            hidden_size=width,
            intermediate_size=FEED_FORWARD * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            vocab_size=1,
            bos_token_id=None,
            eos_token_id=None,
            # 0.02, the usual deviation, is that of models of some 2,000 numbers: a small one with it would hardly mix its tokens
            initializer_range=first_deviation(width),
        )
        model = LlamaModel(config)
        model.set_attn_implementation("sdpa")
        # token vectors come from outside
        model.get_input_embeddings().requires_grad_(False)
        return cls(model)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        saved, own = state_dict.get(f"{prefix}source"), self.source
        if saved is not None and own is not None and not torch.equal(saved.cpu(), own.cpu()):
            raise ModelError("agent.model: its files are not those with which these weights were trained; give the model that the run had")
        super()._load_from_state_dict(state_dict, prefix, *rest)

    source: Tensor | None

    def train(self, mode: bool = True) -> Backbone:
        """Stay in the mode without dropout."""
        return super().train(False)

    def forward(self, tokens: Tensor, visible: Tensor, positions: Tensor, cache: DynamicCache | None = None) -> Tensor:
        """The last layer's vectors `[N, T, E]` of tokens `[N, T, E]` that follow S cached ones.

        visible: `[N, T, S + T]` bool, which tokens each token sees, itself included.   positions: `[N, T]` int64.
        """
        hidden: Tensor = self.model(
            inputs_embeds=tokens,
            attention_mask=visible.unsqueeze(1),
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        return hidden


def frozen_as_buffers(module: nn.Module) -> None:
    """Turn the parameters that are not trained into buffers that are not saved, and are read by independent copies too."""
    for part in module.modules():
        frozen = [(name, parameter) for name, parameter in part.named_parameters(recurse=False) if not parameter.requires_grad]
        for name, parameter in frozen:
            delattr(part, name)
            part.register_buffer(name, parameter.data, persistent=False)
        if frozen:
            # see `recframe.interfaces.independent_copy`
            part.frozen_buffers = tuple(name for name, _ in frozen)  # type: ignore[assignment]
