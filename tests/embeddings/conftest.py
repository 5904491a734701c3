"""An encoder with known vectors that records its calls; also imported by `encoding_process.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recframe.embeddings import EmbeddingStore
from recframe.interfaces import Encoder, Role


class CountingEncoder(Encoder):
    """A text's vector is a hash of text and role, so that it identifies both."""

    def __init__(self, fingerprint: str = "counting 1", dim: int = 4) -> None:
        self._fingerprint = fingerprint
        self._dim = dim
        self.calls: list[list[str]] = []

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        self.calls.append(list(texts))
        return self.expected(texts, role)

    def expected(self, texts: Sequence[str], role: Role = "item") -> np.ndarray:
        digests = [hashlib.blake2b(f"{self._fingerprint} {role} {text}".encode(), digest_size=self._dim).digest() for text in texts]
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(texts), self._dim).astype(np.float32)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "embeddings"


@pytest.fixture
def store(folder: Path, encoder: CountingEncoder) -> EmbeddingStore:
    return EmbeddingStore(folder, encoder)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four texts per shard and two per call, so that a few texts fill several shards."""
    monkeypatch.setattr("recframe.embeddings.store.SHARD_TEXTS", 4)
    monkeypatch.setattr("recframe.embeddings.store.CALL_TEXTS", 2)


@pytest.fixture
def counting_encoder() -> type[CountingEncoder]:
    return CountingEncoder
