"""The work of a process in `test_processes.py`: encode through the store and report the result."""

from __future__ import annotations

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from conftest import CountingEncoder

from recframe.embeddings import EmbeddingStore, store


class LoggingEncoder(CountingEncoder):
    """Appends encoded texts to a file; after `block_after` texts (if not 0) it reports "blocked" and waits."""

    def __init__(self, log: Path, block_after: int, parent: Connection) -> None:
        super().__init__()
        self.log = log
        self.block_after = block_after
        self.parent = parent

    def encode(self, texts, role):
        if self.block_after and len(self.texts) >= self.block_after:
            self.parent.send("blocked")
            self.parent.recv()
        with self.log.open("a") as log:
            log.write("".join(f"{text}\n" for text in texts))
        return super().encode(texts, role)


def encode_texts(folder: Path, log: Path, count: int, block_after: int, parent: Connection, together: Barrier) -> None:
    """Encode `text 0` to `text count-1` in shards of four, once all processes that share `together` are ready."""
    store.SHARD_TEXTS, store.CALL_TEXTS = 4, 2
    encoder = LoggingEncoder(log, block_after, parent)
    texts = [f"text {number}" for number in range(count)]
    together.wait()
    vectors = EmbeddingStore(folder, encoder).vectors(texts, "item")
    parent.send("right" if np.array_equal(vectors.numpy(), encoder.expected(texts)) else "wrong")
