"""Loading a Hugging Face model: without network, progress bars or random draws of the run, and with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from safetensors import SafetensorError
from torch import nn

from recframe.errors import ModelError
from recframe.language_models.model_folder import KEY, sibling
from recframe.language_models.quiet import hub_offline, silence_transformers
from recframe.language_models.sources import ModelSource


@contextmanager
def loading(model: str, source: ModelSource, key: str = KEY) -> Iterator[None]:
    """Context for the call that loads the files of `source`; the option `key` calls them `model`.

    The library draws weights that a model's files lack at random. The run's own random state is restored afterwards, so that a run
    does not depend on whether its texts were in the cache.

    Raises
    ------
    ModelError: one line, if the files do not load.
    """
    with nullcontext() if source.online else hub_offline(), silence_transformers(), torch.random.fork_rng(devices=[]):
        try:
            yield
        except (OSError, ValueError, ImportError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            if isinstance(error, ModelError):
                raise
            if "trust_remote_code" in str(error):
                reason = f"they bring code of their own; read it, then set {sibling(key, 'trust_remote_code')}=true to run it"
            else:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{key}={model}: the files in {source.folder} do not load: {reason}") from error


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
