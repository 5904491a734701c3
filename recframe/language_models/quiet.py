"""Keeping the Hugging Face libraries off the network and off the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hub_offline() -> Iterator[None]:
    """Keep the Hugging Face libraries off the network inside the context."""
    # imported first, because it reads the variable only when it is imported
    from huggingface_hub import constants

    variable, constant = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = constant
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable


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
