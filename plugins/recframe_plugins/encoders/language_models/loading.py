"""What loading any Hugging Face model needs: no network, no progress bar, no draw from the run's random numbers, and errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from safetensors import SafetensorError
from torch import nn

from recframe.interfaces import EncoderError
from recframe_plugins.encoders.language_models.sources import ModelSource, hub_offline


@contextmanager
def loading(model: str, source: ModelSource) -> Iterator[None]:
    """Around the call that loads the files of `source`, which the config calls `model`.

    Weights that a model's files lack are drawn anew by the library; the run's own random numbers stay where they were, so that it does not
    matter to a run whether its texts were in the cache.

    Raises
    ------
    EncoderError: one line, if the files do not load.
    """
    with nullcontext() if source.online else hub_offline(), quiet_transformers(), torch.random.fork_rng(devices=[]):
        try:
            yield
        except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            if isinstance(error, EncoderError):
                raise
            if "trust_remote_code" in str(error):
                reason = "they bring code of their own; read it, then set encoder.trust_remote_code=true to run it"
            else:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise EncoderError(f"encoder.model={model}: the files in {source.folder} do not load: {reason}") from error


def position_limit(model: nn.Module) -> int | None:
    """The longest text, in tokens, for which the model has positions; None where it does not say."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin number positions from just above the padding index
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    for module in model.modules():
        limit = getattr(getattr(module, "config", None), "max_position_embeddings", None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' progress bars and its report of weights that were not used, such as those of a head."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
