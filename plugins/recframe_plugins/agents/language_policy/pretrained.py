"""A trained causal language model as the backbone of a policy: loaded by its name, and tuned with LoRA or in full."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch

from recframe.errors import ModelError
from recframe.language_models import find_model, load_causal, model_sha256, position_limit
from recframe.language_models.backbone import Backbone
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig

KEY = "agent.model"


class Pretrained(NamedTuple):
    """The layers of a model, its input and output embeddings (modules that the backbone owns), and its tokenizer."""

    backbone: Backbone
    read: Any
    write: Any
    tokenizer: Any


def pretrained(config: LanguagePolicyConfig, device: torch.device) -> Pretrained:
    """The model `config.model` of which the adapters, or all weights, are trained.

    Raises
    ------
    ModelError: it is not found or does not load, peft is missing or does not know it, or it has too few positions.
    """
    assert config.model is not None
    source = find_model(config.model, config.revision, config.trust_remote_code, KEY)
    loaded, tokenizer = load_causal(source, config.model, trust_remote_code=config.trust_remote_code, key=KEY)
    # transformers has types for little of what is asked of it
    model: Any = loaded
    limit = position_limit(model)
    if limit is not None and limit < config.prompt_tokens + 1:
        raise ModelError(f"agent.prompt_tokens={config.prompt_tokens}: {KEY}={config.model} has {limit} positions; set it to less")
    model.set_attn_implementation("sdpa")
    write = model.get_output_embeddings()
    inner = model.base_model
    read = inner.get_input_embeddings()
    if config.codes.kind != "titles":
        # codes have vectors of their own to write them by
        tied = write.weight is read.weight
        write.requires_grad_(tied)
    if config.tuning == "lora":
        model.requires_grad_(False)
        _add_adapters(inner, config)
    sha256 = bytes.fromhex(model_sha256(source.folder, source.sha256))
    backbone = Backbone(inner, head=write if config.codes.kind == "titles" else None, source=sha256 if config.tuning == "lora" else None)
    return Pretrained(backbone.to(device), read, write, tokenizer)


def _add_adapters(model: Any, config: LanguagePolicyConfig) -> None:
    """LoRA (Hu et al., 2022) in the layers that peft chooses for the architecture, or in all linear ones."""
    try:
        import peft
    except ImportError:
        raise ModelError("agent.tuning=lora needs peft: pip install 'recframe[tuning]', or set agent.tuning=full") from None
    settings: dict[str, Any] = {"r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            peft.inject_adapter_in_model(peft.LoraConfig(**settings), model)
        except ValueError:
            try:
                peft.inject_adapter_in_model(peft.LoraConfig(**settings, target_modules="all-linear"), model)
            except ValueError as error:
                raise ModelError(f"agent.tuning=lora: peft cannot do this with {type(model).__name__}: {error}") from error
