"""Loading a Hugging Face transformer and its tokenizer for the encoders `bert` and `gpt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from recframe.interfaces import EncoderError
from recframe.language_models import Head, ModelSource, chosen_length, find_model, load_pretrained, position_limit
from recframe_plugins.encoders.transformers.config import TransformerConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ENDLESS = 10**9
"""transformers gives a tokenizer without a maximum length a number above this."""


@dataclass
class LoadedTransformer:
    """A transformer in eval mode on its device, with its tokenizer.

    tokenizer: pads on the right and always has a padding token. Which token that is does not matter: it is masked, it shifts no
        position, and no true token of a causal model could attend to it even without the mask.
    max_length: tokens read of a text, special ones included.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    source: ModelSource


def load_transformer(config: TransformerConfig, device: torch.device, head: Head = "none") -> LoadedTransformer:
    """The model that a config names, without a head or with the one that predicts masked or next tokens.

    A head that the files lack is drawn at random; other missing weights are refused.

    Raises
    ------
    EncoderError: if the model is not found, does not load, or is of another kind; one line that says what to do.
    """
    source = find_model(config.model, config.revision, config.trust_remote_code)
    dtype: torch.dtype = getattr(torch, config.dtype)
    model, tokenizer = load_pretrained(
        source, config.model, head, dtype, config.trust_remote_code, check=lambda architecture: _check_architecture(architecture, config)
    )
    model.to(device)  # type: ignore[arg-type]  # transformers' wrapper of `to` hides its types
    return LoadedTransformer(model, tokenizer, _max_length(config, model, tokenizer, source), source)


def _check_architecture(architecture: Any, config: TransformerConfig) -> None:
    """Refuse a model of the other kind. A model with code of its own is not checked."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    where = f"encoder.model={config.model} is a {architecture.model_type}"
    if getattr(architecture, "is_encoder_decoder", False):
        raise EncoderError(f"{where}, an encoder with a decoder; encoder=bert takes encoder-only models, encoder=gpt decoder-only models")
    # BERT and similar models can be made causal, and are also listed as causal models
    masked = type(architecture) in MODEL_FOR_MASKED_LM_MAPPING
    causal = type(architecture) in MODEL_FOR_CAUSAL_LM_MAPPING and not masked
    if config.causal and masked:
        raise EncoderError(f"{where}, whose tokens attend to the whole text; choose encoder=bert for it")
    if causal and not config.causal:
        raise EncoderError(f"{where}, whose tokens attend only to those before them; choose encoder=gpt for it")


def _max_length(config: TransformerConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: ModelSource) -> int:
    """The configured length, or else the least of those that the authors chose for sentences, the tokenizer and the positions."""
    limit = position_limit(model)
    if config.max_length is not None:
        if limit is not None and config.max_length > limit:
            raise EncoderError(f"encoder.max_length={config.max_length}: {config.model} reads at most {limit} tokens")
        return config.max_length
    chosen = [length for length in (chosen_length(source.folder), tokenizer.model_max_length, limit) if length is not None]
    length = int(min(chosen))
    if length > ENDLESS:
        raise EncoderError(f"encoder.max_length is required: {config.model} does not say how many tokens of a text it reads, such as 128")
    return length
