"""The cached vectors of one encoder: a folder of shards, an index of their keys, and a lock for writers.

Where the folder cannot be written, its shards are read, and what is encoded stays in the memory of the process.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from recframe.embeddings.encoding import EmbeddingError
from recframe.embeddings.shards import (
    KEY,
    SUFFIX,
    TEMPORARY_SUFFIX,
    BadShardError,
    Shard,
    ShardInMemory,
    UnreadableShardError,
    write_shard,
)
from recframe.files import system_error

logger = logging.getLogger(__name__)

FORMAT = "recframe embeddings 1"
"""Part of every folder's name, so that files of another layout are never read."""

NOWHERE = -1

WAY_OUT = "set it to a folder that you may write to and that has space"

MOST_BYTES = 2**30
"""Vectors that could not be written stay in the process up to this size, for its next jobs; the oldest go first."""

_unwritten: deque[tuple[Path, ShardInMemory]] = deque()
_told: set[Path] = set()
"""The stores of which this process has said that they cannot be written."""


class ShardFolder:
    """The shards of the encoder with this fingerprint, in a folder of its own under `parent`.

    Reading takes no lock, because shards appear complete and never change. A damaged shard is removed with a warning; its keys are then
    missing. What cannot be written is kept in memory, by this object and up to `MOST_BYTES` for later ones of the same folder; a warning
    says so once a process.
    """

    def __init__(self, parent: Path, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.path = parent / hashlib.sha256(f"{FORMAT}\0{fingerprint}".encode()).hexdigest()[:32]
        self._shards: dict[Path, Shard] = {}
        self._unreadable: set[Path] = set()
        self._unwritten = [shard for path, shard in _unwritten if path == self.path]
        self._index()

    @property
    def dim(self) -> int | None:
        """D, the length of the cached vectors; None if there are none."""
        return next((shard.vectors.shape[1] for shard in self._opened()), None)

    def refresh(self) -> None:
        """Update the index with what this and other processes have written or removed since the last call."""
        present = self._files() - self._unreadable
        changed = present != self._shards.keys()
        self._shards = {path: shard for path, shard in self._shards.items() if path in present}
        for path in sorted(present - self._shards.keys()):
            try:
                self._shards[path] = Shard(path, self.fingerprint)
            except FileNotFoundError:
                # another process found it damaged and removed it
                continue
            except UnreadableShardError as error:
                self._unreadable.add(path)
                logger.warning(
                    "cached vectors %s cannot be read (%s): their texts will be encoded again; "
                    "ask their owner to make them readable, or set embeddings.cache to another folder",
                    path,
                    error,
                )
            except BadShardError as error:
                self._remove(path, error)
        if changed:
            self._index()

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Whether no shard has each of the keys `[n]`, `[n]` bool."""
        absent: np.ndarray = self._locate(keys)[0] == NOWHERE
        return absent

    def drop_damaged(self, keys: np.ndarray) -> bool:
        """Verify the shards that have these keys and remove the damaged ones; returns whether there were any."""
        shards, _ = self._locate(keys)
        files = list(self._shards.values())
        found = np.unique(shards[shards != NOWHERE])
        damaged = []
        # those in memory, which come after the files, were never written
        for number in found[found < len(files)]:
            try:
                files[number].verify()
            except BadShardError as error:
                self._remove(files[number].path, error)
                damaged.append(files[number].path)
        for path in damaged:
            del self._shards[path]
        if damaged:
            self._index()
        return bool(damaged)

    def read(self, keys: np.ndarray, rows: np.ndarray) -> Tensor:
        """The vectors of `keys[rows]`, float32 `[len(rows), D]`. No key may be missing, and the shards must be verified."""
        shards, shard_rows = self._locate(keys)
        shards, shard_rows = shards[rows], shard_rows[rows]
        opened = self._opened()
        result = torch.empty(len(rows), opened[shards[0]].vectors.shape[1], dtype=torch.float32)
        order = np.argsort(shards, kind="stable")
        starts = np.flatnonzero(np.diff(shards[order], prepend=NOWHERE))
        # one shard at a time, so that at most one shard's rows are in memory in addition to the result
        for wanted in np.split(order, starts[1:]):
            vectors = opened[shards[wanted[0]]].vectors
            result.index_copy_(0, torch.from_numpy(wanted), vectors.index_select(0, torch.from_numpy(shard_rows[wanted])))
        return result

    def lengths(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lengths of the texts of `keys` `[n]`, `[n, 2]` int64 (see `Encoder.text_lengths`), and whether they are known, `[n]` bool."""
        shards, rows = self._locate(keys)
        lengths, known = np.zeros((len(keys), 2), dtype=np.int64), np.zeros(len(keys), dtype=bool)
        for number, shard in enumerate(self._opened()):
            of_shard = shards == number
            if shard.lengths is not None and of_shard.any():
                lengths[of_shard], known[of_shard] = shard.lengths[rows[of_shard]], True
        return lengths, known

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock the folder for writing and update the index; the kernel releases the lock of a process that dies.

        A folder that cannot be written is not locked: nobody else would find what this process encodes.
        """
        lock = FileLock(self.path / "lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logger.info("another process is encoding texts with the same encoder; waiting for it (%s)", self.path)
                lock.acquire()
        except OSError as error:
            self._tell(error)
            yield
            return
        try:
            # only the holder of the lock writes, so these are from writers that died
            for leftover in self.path.glob(f"*{TEMPORARY_SUFFIX}"):
                with suppress(OSError):
                    leftover.unlink()
            self.refresh()
            yield
        finally:
            lock.release()

    def write(self, keys: np.ndarray, vectors: np.ndarray, lengths: np.ndarray | None) -> None:
        """Add a shard of vectors `[n, D]`, and lengths `[n, 2]` if they are known, under keys `[n]`; in memory if the disk refuses it.

        Call it inside `writing`, and `refresh` before reading it.
        """
        try:
            write_shard(self.path, self.fingerprint, keys, vectors, lengths)
        except Exception as error:  # safetensors replaces the system's errors by its own
            if (cause := system_error(error)) is None:
                raise
            self._tell(cause)
            shard = ShardInMemory(keys, torch.from_numpy(vectors), lengths)
            self._unwritten.append(shard)
            _unwritten.append((self.path, shard))
            while sum(kept.vectors.nbytes for _, kept in _unwritten) > MOST_BYTES:
                _unwritten.popleft()
            self._index()

    def _opened(self) -> list[Shard | ShardInMemory]:
        """All shards, in the order of their numbers."""
        return [*self._shards.values(), *self._unwritten]

    def _tell(self, error: OSError) -> None:
        """Say that the store cannot be written, once a process."""
        if self.path.parent not in _told:
            _told.add(self.path.parent)
            logger.warning(
                "embeddings.cache: text vectors cannot be written to %s (%s): what is there is read, and others are encoded and not kept; "
                "to keep them, %s",
                self.path.parent,
                error.strerror or error,
                WAY_OUT,
            )

    def _files(self) -> set[Path]:
        try:
            return {self.path / name for name in os.listdir(self.path) if name.endswith(SUFFIX)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            # glob would find nothing, and everything would be encoded again
            raise EmbeddingError(f"embeddings.cache: {self.path} cannot be read ({error.strerror}); {WAY_OUT}") from error

    def _locate(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shard number and the row in it of each key, each `[n]` int64; `NOWHERE` for missing keys."""
        if not len(self._keys):
            nowhere = np.full(len(keys), NOWHERE)
            return nowhere, nowhere
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[at] == keys
        return np.where(found, self._shard_numbers[at], NOWHERE), np.where(found, self._shard_rows[at], NOWHERE)

    def _index(self) -> None:
        shards = self._opened()
        keys = np.concatenate([shard.keys for shard in shards]) if shards else np.empty(0, dtype=KEY)
        sizes = [len(shard) for shard in shards]
        order = np.argsort(keys)
        self._keys = keys[order]
        self._shard_numbers = np.repeat(np.arange(len(shards)), sizes)[order]
        self._shard_rows = np.concatenate([np.arange(size) for size in sizes])[order] if shards else np.empty(0, dtype=np.int64)

    def _remove(self, path: Path, error: BadShardError) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as refusal:
            # it is not looked at again
            self._unreadable.add(path)
            why = f"{error}, and cannot be removed: {refusal.strerror}"
            logger.warning("cached vectors %s are damaged (%s): their texts will be encoded again", path, why)
        else:
            logger.warning("cached vectors %s are damaged (%s): removed, and their texts will be encoded again", path, error)
