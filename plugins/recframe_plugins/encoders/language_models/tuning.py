"""Making a transformer tunable: which of its parameters, or of parameters added to it, are trained."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

from recframe.interfaces import EncoderError, TuningSettings
from recframe.language_models import position_limit
from recframe_plugins.encoders.language_models.config import TuningConfig

if TYPE_CHECKING:
    from peft import PeftConfig


def tuning_settings(config: TuningConfig) -> TuningSettings | None:
    """The settings for the core; None for a frozen model."""
    if config.tuning == "frozen":
        return None
    details = {"lora": f" of rank {config.lora_rank} and alpha {config.lora_alpha}", "prefix": f" of {config.prefix_length} tokens"}
    return TuningSettings(
        method=config.tuning + details.get(config.tuning, ""),
        interval=config.tuning_interval,
        tokens=config.tuning_tokens,
        learning_rate=config.tuning_learning_rate,
        refresh_interval=config.refresh_interval,
    )


def tunable(model: nn.Module, config: TuningConfig, max_length: int) -> nn.Module:
    """`model` or a wrapper with the same call, in which exactly the parameters that `config.tuning` names require a gradient.

    `lora`: Hu et al. (2022), on the matrices that peft chooses for the architecture (BERT: queries and values), or on all linear layers
    if peft does not know the architecture. `prefix`: Li and Liang (2021), without their reparametrization; it starts at zero, which
    dampens attention a little: even before the first step, the vectors are not those of the frozen model. `adapter`: (IA)^3 (Liu et al.,
    2022), factors that start at one.

    Raises
    ------
    EncoderError: if peft is not installed, or does not support the method for this architecture.
    """
    if config.tuning == "full":
        model.requires_grad_(True)
        # the vectors do not depend on BERT's pooler
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not name.startswith("pooler."))
        return model
    try:
        import peft
    except ImportError:
        raise EncoderError(
            f"encoder.tuning={config.tuning} needs peft: pip install 'recframe[tuning]', or set encoder.tuning to full or frozen"
        ) from None
    if config.tuning == "prefix":
        _check_prefix(model, config, max_length)
        # sentence-transformers passes token type ids that are all zero, which is also their default
        warnings.filterwarnings("ignore", message="Token type ids are not supported", category=UserWarning)
    chosen = _peft_config(peft, config)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _wrapped(peft, model, chosen)
            except ValueError:
                if config.tuning != "lora":
                    raise
                return _wrapped(peft, model, peft.LoraConfig(**_lora(config), target_modules="all-linear"))
    except ValueError as error:
        raise EncoderError(f"encoder.tuning={config.tuning}: peft cannot do this with {type(model).__name__}: {error}") from error


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a tunable model that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _wrapped(peft: Any, model: nn.Module, chosen: PeftConfig) -> nn.Module:
    wrapped: nn.Module = peft.get_peft_model(model, chosen)
    return wrapped.eval()


def _peft_config(peft: Any, config: TuningConfig) -> PeftConfig:
    chosen: PeftConfig
    if config.tuning == "lora":
        chosen = peft.LoraConfig(**_lora(config))
    elif config.tuning == "adapter":
        chosen = peft.IA3Config(task_type="FEATURE_EXTRACTION")
    else:
        chosen = peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=config.prefix_length, init_weights="zero")
    return chosen


def _lora(config: TuningConfig) -> dict[str, Any]:
    return {"task_type": "FEATURE_EXTRACTION", "r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": 0.0}


def _check_prefix(model: nn.Module, config: TuningConfig, max_length: int) -> None:
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise EncoderError(f"encoder.tuning=prefix: {type(model).__name__} does not accept keys and values; choose lora, adapter or full")
    limit = position_limit(model)
    if limit is not None and max_length + config.prefix_length > limit:
        raise EncoderError(
            f"encoder.prefix_length={config.prefix_length}: the model has {limit} positions, and its texts take up to {max_length}; "
            f"set encoder.max_length to {limit - config.prefix_length} or less"
        )
