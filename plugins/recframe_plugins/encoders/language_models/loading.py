"""Loading a Hugging Face model: without network, progress bars or random draws of the run, and with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from recframe.interfaces import EncoderError
from recframe_plugins.encoders.language_models.sources import ModelSource, hub_offline


@contextmanager
def loading(model: str, source: ModelSource) -> Iterator[None]:
    """Context for the call that loads the files of `source`; the config calls them `model`.

    The library draws weights that a model's files lack at random. The run's own random state is restored afterwards, so that a run
    does not depend on whether its texts were in the cache.

    Raises
    ------
    EncoderError: one line, if the files do not load.
    """
    with nullcontext() if source.online else hub_offline(), silence_transformers(), torch.random.fork_rng(devices=[]):
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
    """The length, in tokens, of the longest text for which the model has positions; None if the model does not say."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and similar models number positions from just above the padding index
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    for module in model.modules():
        limit = getattr(getattr(module, "config", None), "max_position_embeddings", None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


@contextmanager
def silence_transformers() -> Iterator[None]:
    """Turn off transformers' progress bars and its report of unused weights, such as those of a head."""
    from transformers.utils import logging

    settings: Any = logging  # some of its functions have no types
    shown, verbosity = settings.is_progress_bar_enabled(), settings.get_verbosity()
    settings.disable_progress_bar()
    settings.set_verbosity_error()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if shown:
            settings.enable_progress_bar()
