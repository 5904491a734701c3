"""Making a transformer tunable: which parameters of it, or beside it, are trained."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

from recframe.interfaces import EncoderError, Tuning
from recframe_plugins.encoders.language_models.config import TuningConfig
from recframe_plugins.encoders.language_models.loading import position_limit

if TYPE_CHECKING:
    from peft import PeftConfig


def tuning_of(config: TuningConfig) -> Tuning | None:
    """What the core is told of the settings."""
    if config.tuning == "frozen":
        return None
    details = {"lora": f" of rank {config.lora_rank} and alpha {config.lora_alpha}", "prefix": f" of {config.prefix_length} tokens"}
    return Tuning(
        method=config.tuning + details.get(config.tuning, ""),
        interval=config.tuning_interval,
        tokens=config.tuning_tokens,
        learning_rate=config.tuning_learning_rate,
        refresh_interval=config.refresh_interval,
    )


def tunable(model: nn.Module, config: TuningConfig, max_length: int) -> nn.Module:
    """`model`, or a wrapper of it that is called alike, of which just what `config.tuning` names requires a gradient.

    `lora`: Hu et al. (2022), on the matrices that peft chooses for the architecture (BERT: queries and values), all linear layers where it
    knows none. `prefix`: Li and Liang (2021), without their reparametrization; it starts at zero, which dampens attention a little: the
    vectors are not those of the frozen model even before the first step. `adapter`: (IA)^3 (Liu et al., 2022), factors that start at one.

    Raises
    ------
    EncoderError: peft is not installed, or cannot do this with this architecture.
    """
    if config.tuning == "full":
        model.requires_grad_(True)
        # BERT's pooler is of no use to the vectors
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
        # sentence-transformers passes them, all of them zeros, and without them they are zeros, too
        warnings.filterwarnings("ignore", message="Token type ids are not supported", category=UserWarning)
    chosen = _peft_config(peft, config)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return peft.get_peft_model(model, chosen).eval()
            except ValueError:
                if config.tuning != "lora":
                    raise
                return peft.get_peft_model(model, peft.LoraConfig(**_lora(config), target_modules="all-linear")).eval()
    except ValueError as error:
        raise EncoderError(f"encoder.tuning={config.tuning}: peft cannot do this with {type(model).__name__}: {error}") from error


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of a tunable model that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _peft_config(peft: Any, config: TuningConfig) -> PeftConfig:
    if config.tuning == "lora":
        return peft.LoraConfig(**_lora(config))
    if config.tuning == "adapter":
        return peft.IA3Config(task_type="FEATURE_EXTRACTION")
    return peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=config.prefix_length, init_weights="zero")


def _lora(config: TuningConfig) -> dict[str, Any]:
    return {"task_type": "FEATURE_EXTRACTION", "r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": 0.0}


def _check_prefix(model: nn.Module, config: TuningConfig, max_length: int) -> None:
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise EncoderError(f"encoder.tuning=prefix: {type(model).__name__} cannot be given keys and values; choose lora, adapter or full")
    limit = position_limit(model)
    if limit is not None and max_length + config.prefix_length > limit:
        raise EncoderError(
            f"encoder.prefix_length={config.prefix_length}: the model has {limit} positions, and {max_length} are its texts'; "
            f"set encoder.max_length to {limit - config.prefix_length} or less"
        )
