"""The embedding store: vectors of texts, each text encoded once per encoder however often, and by whomever, it is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recframe.embeddings.encoding import EmbeddingError, encode, encoding_progress
from recframe.embeddings.shard_folder import ShardFolder
from recframe.embeddings.shards import text_keys
from recframe.interfaces import Encoder, Role

logger = logging.getLogger(__name__)

SHARD_TEXTS = 4096
"""Texts in a shard: what a killed process loses at most."""

CALL_TEXTS = 1024
"""Texts an encoder gets at once: what an interrupted process loses at most, and a step of the progress bar."""

ATTEMPTS = 3


class EmbeddingStore:
    """Vectors of texts, from the cache in `folder` where they are known, from `encoder` where they are not.

    A vector is found by the encoder's fingerprint, the role and the text, so nothing has to be invalidated. Any number of processes
    may share a folder: only one of them encodes a text, the others wait and read it. Vectors of an encoder made of `parts` are kept
    by part; those of one that reads no text are empty, and nothing is kept.

    Parameters
    ----------
    folder: where vectors are kept; made when the first are written.
    encoder: asked for what the cache lacks. A run whose texts are all known never calls its `encode` or `dim`.
    progress: show a progress bar on a terminal while texts are encoded.

    Attributes
    ----------
    encoded: how many texts this store has had encoded.
    cached: how many different texts, summed over calls, it found in the cache.
    """

    def __init__(self, folder: Path, encoder: Encoder, progress: bool = True) -> None:
        self.folder = Path(folder)
        self.encoder = encoder
        self.progress = progress
        self.encoded = 0
        self.cached = 0
        self._shards: ShardFolder | None = None
        self._parts = [(EmbeddingStore(folder, part, progress), factor) for part, factor in encoder.parts]

    def vectors(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors of texts, float32 `[n, D]`, in order.

        Raises
        ------
        EmbeddingError: if the encoder gives anything but finite vectors of its `dim`, or the folder's disk does not keep what is written.
        TypeError: if a text is not a string.
        """
        if isinstance(texts, str):
            raise TypeError(f"vectors() takes a list of texts, not the one text {texts[:60]!r}")
        if not self.encoder.reads:
            return torch.empty(len(texts), 0, dtype=torch.float32)
        if self._parts:
            return self._side_by_side(texts, role)
        if not len(texts):
            return torch.empty(0, self.encoder.dim, dtype=torch.float32)
        shards = self._shards_of_encoder()
        keys, first, inverse = np.unique(text_keys(texts, role), return_index=True, return_inverse=True)
        encoded = 0
        for _ in range(ATTEMPTS):
            if shards.missing(keys).any():
                shards.refresh()
            if shards.missing(keys).any():
                encoded += self._encode_missing(shards, keys, texts, first, role)
            if not shards.drop_damaged(keys) and not shards.missing(keys).any():
                self.cached += len(keys) - encoded
                return shards.read(keys, inverse)
        raise EmbeddingError(f"{shards.path}: vectors just written there do not read back as they were; is the disk full or failing?")

    def _side_by_side(self, texts: Sequence[str], role: Role) -> Tensor:
        vectors = torch.cat([factor * store.vectors(texts, role) for store, factor in self._parts], dim=1)
        self.encoded = sum(store.encoded for store, _ in self._parts)
        self.cached = sum(store.cached for store, _ in self._parts)
        return vectors

    def _shards_of_encoder(self) -> ShardFolder:
        # asked anew each time: an encoder that was fitted since the last call is another one
        fingerprint = self.encoder.fingerprint
        if self._shards is None or self._shards.fingerprint != fingerprint:
            self._shards = ShardFolder(self.folder, fingerprint)
        return self._shards

    def _encode_missing(self, shards: ShardFolder, keys: np.ndarray, texts: Sequence[str], first: np.ndarray, role: Role) -> int:
        """Encode and write the texts that no shard holds; `texts[first[i]]` is the text of `keys[i]`. Returns how many."""
        with shards.writing():
            # texts of like length together need the least padding; the longest first shows at once whether memory suffices
            missing = sorted(np.flatnonzero(shards.missing(keys)), key=lambda i: len(texts[first[i]]), reverse=True)
            if missing:
                if shards.dim not in (None, self.encoder.dim):
                    raise EmbeddingError(
                        f"encoder {type(self.encoder).__name__} gives vectors of {self.encoder.dim} numbers, but gave {shards.dim} under "
                        "the same fingerprint before: its fingerprint must change whenever its vectors do"
                    )
                logger.info("encoding %d texts with %s", len(missing), type(self.encoder).__name__)
                began = time.perf_counter()
                self._encode_in_shards(shards, keys[missing], [texts[i] for i in first[missing]], role)
                logger.info("encoded %d texts (%.0f texts/s)", len(missing), len(missing) / (time.perf_counter() - began))
                shards.refresh()
        return len(missing)

    def _encode_in_shards(self, shards: ShardFolder, keys: np.ndarray, texts: list[str], role: Role) -> None:
        with encoding_progress(len(texts), self.progress) as advance:
            for begin in range(0, len(texts), SHARD_TEXTS):
                end = min(begin + SHARD_TEXTS, len(texts))
                finished: list[np.ndarray] = []
                try:
                    for start in range(begin, end, CALL_TEXTS):
                        call = texts[start : min(start + CALL_TEXTS, end)]
                        finished.append(encode(self.encoder, call, role))
                        self.encoded += len(call)
                        advance(len(call))
                except EmbeddingError:
                    # an encoder that gives nonsense is not trusted with what it gave just before
                    raise
                except BaseException:
                    # interrupted (by the user, by a lack of memory): the finished calls are good
                    if finished:
                        shards.write(keys[begin : begin + sum(map(len, finished))], np.concatenate(finished))
                    raise
                shards.write(keys[begin:end], np.concatenate(finished))
