"""Language models by name: finding their files, checking them, and loading them without a network.

A model is `packaged:NAME`, a folder, or a name on the Hugging Face hub (`find_model`). Encoders, agents and users' simulators read the
same names in the same way. Messages name the option of the caller.
"""

from recframe.language_models.loading import loading, position_limit
from recframe.language_models.model_folder import (
    check_loadable,
    check_transformer,
    chosen_length,
    declared_dim,
    hidden_size,
    model_sha256,
    verify_files,
)
from recframe.language_models.quiet import hub_offline, silence_transformers
from recframe.language_models.sources import ModelSource, find_model
from recframe.language_models.transformer import Head, is_causal, load_causal, load_pretrained

__all__ = [
    "Head",
    "ModelSource",
    "check_loadable",
    "check_transformer",
    "chosen_length",
    "declared_dim",
    "find_model",
    "hidden_size",
    "hub_offline",
    "is_causal",
    "load_causal",
    "load_pretrained",
    "loading",
    "model_sha256",
    "position_limit",
    "silence_transformers",
    "verify_files",
]
