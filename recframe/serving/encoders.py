"""The encoder of a policy, as it was in its run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from recframe.attribution import blaming
from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.interfaces import Encoder, Role, TokenReading

CPU = torch.device("cpu")


def fitted_encoder(section: Any, learned_from: Sequence[str]) -> Encoder:
    """The encoder of a section, on the CPU, which has learned from these texts."""
    encoder: Encoder = build(component_of(Kind.ENCODER, section), section, device=CPU)
    encoder.fit(learned_from)
    return encoder


class LazyEncoder:
    """An encoder that is made when it is first needed, and then reads texts for one thread at a time.

    A policy that is asked about known people alone never loads a language model. Tokenizers must not be used by two threads at once.

    make: makes the run's encoder, fitted.
    """

    def __init__(self, make: Callable[[], Encoder]) -> None:
        self._make = make
        self._made: Encoder | None = None
        self._one_thread = threading.Lock()

    def encode(self, texts: list[str], role: Role) -> np.ndarray:
        """The vectors of texts; see `Encoder.encode`."""
        with self._one_thread, blaming(encoder := self._there()):
            return encoder.encode(texts, role)

    def token_reading(self, text: str, role: Role) -> TokenReading | None:
        """How the encoder reads the tokens of a text; see `Encoder.token_reading`."""
        with self._one_thread:
            return self._there().token_reading(text, role)

    def _there(self) -> Encoder:
        if self._made is None:
            self._made = self._make()
        return self._made
