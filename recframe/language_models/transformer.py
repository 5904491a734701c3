"""A Hugging Face transformer with its tokenizer, loaded from a folder of safetensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch

from recframe.errors import ModelError
from recframe.language_models.loading import loading
from recframe.language_models.model_folder import KEY, check_transformer, verify_files
from recframe.language_models.sources import ModelSource

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Head = Literal["none", "masked", "causal"]


def load_pretrained(
    source: ModelSource,
    model: str,
    head: Head = "none",
    dtype: torch.dtype = torch.float32,
    trust_remote_code: bool = False,
    key: str = KEY,
    check: Callable[[Any], None] = lambda architecture: None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A transformer in eval mode on the CPU, without a head or with the one that predicts masked or next tokens, and its tokenizer.

    The tokenizer pads and cuts on the right and always has a padding token. A head that the files lack is drawn at random, and so are
    the weights of BERT's pooler; other missing weights are refused.

    Parameters
    ----------
    model: what the option `key` calls the model, for messages.   check: is given the transformers config before weights are read.

    Raises
    ------
    ModelError: if the files differ from the published ones or do not load; one line that says what to do.
    """
    check_transformer(source.folder, key)
    verify_files(source.folder, source.sha256, source.remedy, key)
    # imported before the hub is set offline, because older releases of transformers keep that setting for good
    import transformers

    options: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": not source.online}
    builders: dict[Head, Any] = {
        "none": transformers.AutoModel,
        "masked": transformers.AutoModelForMaskedLM,
        "causal": transformers.AutoModelForCausalLM,
    }
    with loading(model, source, key):
        architecture = transformers.AutoConfig.from_pretrained(str(source.folder), **options)
        check(architecture)
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(source.folder), **options)
        loaded, report = builders[head].from_pretrained(
            str(source.folder), config=architecture, use_safetensors=True, dtype=dtype, output_loading_info=True, **options
        )
    _check_complete(loaded, report["missing_keys"], f"{key}={model}", source)
    _ensure_padding(tokenizer, f"{key}={model}")
    loaded.eval()
    return loaded, tokenizer


def load_causal(
    source: ModelSource, model: str, dtype: torch.dtype = torch.float32, trust_remote_code: bool = False, key: str = KEY
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model that predicts the next token, with its head, in eval mode on the CPU, and its tokenizer; see `load_pretrained`.

    Raises
    ------
    ModelError: if the files do not load, or hold a model of another kind.
    """

    def check(architecture: Any) -> None:
        if not is_causal(architecture):
            raise ModelError(f"{key}={model} is a {architecture.model_type}, which does not write text token by token; use a causal model")

    return load_pretrained(source, model, "causal", dtype, trust_remote_code, key, check)


def is_causal(architecture: Any) -> bool:
    """Whether the tokens of models with this transformers config attend only to those before them. True for a model with own code."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

    # BERT and similar models can be made causal, and are also listed as causal models
    return not getattr(architecture, "is_encoder_decoder", False) and type(architecture) not in MODEL_FOR_MASKED_LM_MAPPING


def _check_complete(model: PreTrainedModel, missing: Any, where: str, source: ModelSource) -> None:
    """Refuse files that lack weights which vectors depend on. Heads may be missing, and BERT's pooler, which is not used here."""
    prefix = f"{model.base_model_prefix}."
    headless = not any(key.startswith(prefix) for key in model.state_dict())
    lacking = sorted(key for key in missing if (headless or key.startswith(prefix)) and not key.removeprefix(prefix).startswith("pooler."))
    if lacking:
        raise ModelError(f"{where}: {source.folder} lacks {len(lacking)} of the model's weights, such as {lacking[0]}")


def _ensure_padding(tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    tokenizer.padding_side = "right"
    tokenizer.truncation_side = "right"
    if tokenizer.pad_token_id is None:
        # GPT-2 and others were trained without one; the token for the end of a text is used
        token = tokenizer.eos_token or tokenizer.bos_token or tokenizer.unk_token
        if token is None:
            raise ModelError(f"{where}: its tokenizer has neither a padding token nor one for the end of a text")
        tokenizer.pad_token = token
