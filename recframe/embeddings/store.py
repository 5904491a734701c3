"""The embedding store: vectors of texts, cached on disk so that each encoder encodes a text only once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recframe.embeddings.cut_texts import CutTexts
from recframe.embeddings.encoding import EmbeddingError, encode_checked, encoding_progress
from recframe.embeddings.shard_folder import ShardFolder
from recframe.embeddings.shards import text_keys
from recframe.interfaces import Encoder, Role

logger = logging.getLogger(__name__)

SHARD_TEXTS = 4096
"""Texts in a shard; a killed process loses at most this many."""

CALL_TEXTS = 1024
"""Texts that an encoder gets in one call; an interrupted process loses at most this many. Also a step of the progress bar."""

ATTEMPTS = 3


class EmbeddingStore:
    """Vectors of texts, from the cache in `folder` or else from `encoder`.

    The key of a vector is the encoder's fingerprint, what it was built from, the role and the text, so entries never become invalid. Any
    number of processes may share a folder: one of them encodes a text, the others wait and read its vector. For an encoder made of `parts`,
    each part's vectors are cached separately. For one that reads no text, whose vectors are empty, nothing is cached.

    Parameters
    ----------
    folder: where vectors are cached; created when the first are written. None: each call encodes its texts, and nothing is read or written.
    encoder: encodes what the cache lacks. If all texts are cached, its `encode` and `dim` are never called. The vectors of one whose
        code is not known (`built_from` is None) are not cached.
    progress: show a progress bar on a terminal while texts are encoded.

    Attributes
    ----------
    encoded: the number of texts that the encoder has encoded for this store.
    cached: the number of different texts, summed over calls, that were in the cache.
    cut: for each role, the texts that are longer than the model reads, over all calls; empty for an encoder that does not count them. For
        one made of parts, those of the part that cuts the largest share of the texts.
    """

    def __init__(self, folder: Path | None, encoder: Encoder, progress: bool = True) -> None:
        self.folder = None if encoder.built_from is None else folder
        self.encoder = encoder
        self.progress = progress
        self.encoded = 0
        self.cached = 0
        self.cut: dict[Role, CutTexts] = {}
        self._shards: ShardFolder | None = None
        self._parts = [(EmbeddingStore(folder, part, progress), factor) for part, factor in encoder.parts]

    def vectors(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors of texts, float32 `[n, D]`, in order.

        Raises
        ------
        EmbeddingError: if the encoder does not give finite vectors of its `dim`, or the disk does not keep what is written.
        TypeError: if a text is not a string.
        """
        if isinstance(texts, str):
            raise TypeError(f"vectors() takes a list of texts, not the one text {texts[:60]!r}")
        if not self.encoder.reads:
            return torch.empty(len(texts), 0, dtype=torch.float32)
        if self._parts:
            return self._concatenated(texts, role)
        if not len(texts):
            return torch.empty(0, self.encoder.dim, dtype=torch.float32)
        if self.folder is None:
            return self._uncached(texts, role)
        shards = self._shards_of_encoder(self.folder)
        keys, first, inverse = np.unique(text_keys(texts, role), return_index=True, return_inverse=True)
        encoded = 0
        for _ in range(ATTEMPTS):
            if shards.missing(keys).any():
                shards.refresh()
            if shards.missing(keys).any():
                encoded += self._encode_missing(shards, keys, texts, first, role)
            if not shards.drop_damaged(keys) and not shards.missing(keys).any():
                self.cached += len(keys) - encoded
                self._count_cut(role, *(of_keys[inverse] for of_keys in shards.lengths(keys)))
                return shards.read(keys, inverse)
        raise EmbeddingError(f"{shards.path}: vectors just written there cannot be read back; is the disk full or failing?")

    def _concatenated(self, texts: Sequence[str], role: Role) -> Tensor:
        vectors = torch.cat([factor * store.vectors(texts, role) for store, factor in self._parts], dim=1)
        counted = [store.cut[role] for store, _ in self._parts if role in store.cut]
        if counted:
            self.cut[role] = max(counted, key=lambda cut: cut.share_of_texts)
        self.encoded = sum(store.encoded for store, _ in self._parts)
        self.cached = sum(store.cached for store, _ in self._parts)
        return vectors

    def _uncached(self, texts: Sequence[str], role: Role) -> Tensor:
        """The vectors `[n, D]` of at least one text, each different one encoded."""
        _, first, inverse = np.unique(text_keys(texts, role), return_index=True, return_inverse=True)
        order = longest_first([texts[i] for i in first.tolist()])
        with self._encoding(len(order)) as advance:
            calls = list(self._calls([texts[i] for i in first[order].tolist()], role, advance))
        rows = np.argsort(order)[inverse]
        lengths = joined([of_call for _, counted in calls for of_call in counted], len(order))
        known = np.full(len(rows), lengths is not None)
        self._count_cut(role, np.zeros((len(rows), 2), dtype=np.int64) if lengths is None else lengths[rows], known)
        return torch.from_numpy(np.concatenate([vectors for vectors, _ in calls])[rows])

    def _count_cut(self, role: Role, lengths: np.ndarray, known: np.ndarray) -> None:
        """Count texts, one a row, that are cut (see `CutTexts.of`), if the encoder tells lengths."""
        if type(self.encoder).text_lengths is not Encoder.text_lengths:
            self.cut[role] = self.cut.get(role, CutTexts()) + CutTexts.of(lengths, known)

    def _shards_of_encoder(self, folder: Path) -> ShardFolder:
        # asked for in each call, because fitting an encoder changes its fingerprint
        fingerprint = key_of_encoder(self.encoder)
        if self._shards is None or self._shards.fingerprint != fingerprint:
            self._shards = ShardFolder(folder, fingerprint)
        return self._shards

    def _encode_missing(self, shards: ShardFolder, keys: np.ndarray, texts: Sequence[str], first: np.ndarray, role: Role) -> int:
        """Encode and write the texts that no shard has; `texts[first[i]]` is the text of `keys[i]`. Returns their number."""
        with shards.writing():
            missing = np.flatnonzero(shards.missing(keys))
            if len(missing):
                missing = missing[longest_first([texts[i] for i in first[missing].tolist()])]
                if shards.dim not in (None, self.encoder.dim):
                    raise EmbeddingError(
                        f"encoder {type(self.encoder).__name__} gives vectors of {self.encoder.dim} numbers, but gave {shards.dim} under "
                        "the same fingerprint before; its fingerprint must change whenever its vectors do"
                    )
                self._encode_in_shards(shards, keys[missing], [texts[i] for i in first[missing].tolist()], role)
                shards.refresh()
        return len(missing)

    def _encode_in_shards(self, shards: ShardFolder, keys: np.ndarray, texts: list[str], role: Role) -> None:
        with self._encoding(len(texts)) as advance:
            for begin in range(0, len(texts), SHARD_TEXTS):
                end = min(begin + SHARD_TEXTS, len(texts))
                finished: list[np.ndarray] = []
                lengths: list[np.ndarray] = []
                try:
                    for vectors, counted in self._calls(texts[begin:end], role, advance):
                        finished.append(vectors)
                        lengths += counted
                except EmbeddingError:
                    # its earlier vectors are not trusted either
                    raise
                except BaseException:
                    # interrupted, by the user or a lack of memory: the vectors of finished calls are good
                    if finished:
                        size = sum(map(len, finished))
                        shards.write(keys[begin : begin + size], np.concatenate(finished), joined(lengths, size))
                    raise
                shards.write(keys[begin:end], np.concatenate(finished), joined(lengths, end - begin))

    def _calls(self, texts: Sequence[str], role: Role, advance: Callable[[int], None]) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """The checked vectors and the lengths (see `lengths_of`) of texts, from one call of the encoder after the other."""
        for start in range(0, len(texts), CALL_TEXTS):
            call = texts[start : start + CALL_TEXTS]
            vectors = encode_checked(self.encoder, call, role)
            counted = lengths_of(self.encoder, call, role)
            self.encoded += len(call)
            advance(len(call))
            yield vectors, counted

    @contextmanager
    def _encoding(self, number: int) -> Iterator[Callable[[int], None]]:
        """Log that a number of texts is encoded, and show the progress; yields a function to report encoded texts to."""
        logger.info("encoding %d texts with %s", number, type(self.encoder).__name__)
        began = time.perf_counter()
        with encoding_progress(number, self.progress) as advance:
            yield advance
        logger.info("encoded %d texts (%.0f texts/s)", number, number / (time.perf_counter() - began))


def key_of_encoder(encoder: Encoder) -> str:
    """What identifies an encoder's vectors: its fingerprint, and what a run built it from."""
    return f"{encoder.fingerprint} built from {encoder.built_from}" if encoder.built_from else encoder.fingerprint


def longest_first(texts: Sequence[str]) -> list[int]:
    """The order `[n]` in which texts are encoded: with those of one length together, there is little padding, and with the longest first, a
    lack of memory shows at once.
    """
    return sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)


def lengths_of(encoder: Encoder, texts: Sequence[str], role: Role) -> list[np.ndarray]:
    """The lengths of texts `[n, 2]`, in a list that is empty if the encoder does not give them."""
    lengths = encoder.text_lengths(texts, role)
    return [] if lengths is None else [lengths]


def joined(lengths: list[np.ndarray], size: int) -> np.ndarray | None:
    """The lengths of several calls `[size, 2]`, or None if they are not known of all texts."""
    return np.concatenate(lengths)[:size] if lengths and sum(map(len, lengths)) >= size else None
