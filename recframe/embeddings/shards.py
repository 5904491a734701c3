"""A file of cached vectors: written atomically, mapped into memory, and verified by checksums."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from recframe.files import usual_permissions

KEY = np.dtype("V16")
"""The key of a text: 128 bits of a SHA-256."""

SUFFIX = ".safetensors"
TEMPORARY_SUFFIX = ".tmp"


class BadShardError(Exception):
    """A file that is truncated, overwritten, or has flipped bits."""


class UnreadableShardError(Exception):
    """A file that the operating system does not let this process read; it may be good."""


def text_keys(texts: Sequence[str], role: str) -> np.ndarray:
    """The keys `[n]` of texts in a role; equal keys mean equal texts.

    Raises
    ------
    TypeError: naming the first entry that is not a string.
    """
    prefix = role.encode() + b"\0"
    try:
        # not every tokenizer accepts lone surrogates, but that is left to the encoder
        digests = [hashlib.sha256(prefix + text.encode("utf-8", "surrogatepass")).digest()[: KEY.itemsize] for text in texts]
    except AttributeError:
        row, entry = next((row, entry) for row, entry in enumerate(texts) if not isinstance(entry, str))
        raise TypeError(f"text {row} of {len(texts)} to be encoded is {entry!r}; every text must be a string") from None
    return np.frombuffer(b"".join(digests), dtype=KEY)


def _checksums(keys: np.ndarray, vectors: np.ndarray) -> tuple[str, str]:
    """Checksums of the keys alone (verified when a shard is opened), and of keys and vectors (when it is first read)."""
    of_keys = hashlib.sha256(_bytes(keys))
    of_all = of_keys.copy()
    of_all.update(_bytes(vectors))
    return of_keys.hexdigest(), of_all.hexdigest()


def _bytes(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array, without a copy."""
    return memoryview(cast(Any, array)).cast("B")


def write_shard(folder: Path, fingerprint: str, keys: np.ndarray, vectors: np.ndarray, lengths: np.ndarray | None = None) -> Path:
    """Write vectors `[n, D]` under their keys `[n]` to a new file of `folder`, and return its path.

    lengths: `[n, 2]`, as `Encoder.text_lengths` gives them; None if they are not known.

    The name is new every time, so that a reader that removes a damaged shard never removes its replacement.
    """
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), KEY.itemsize)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    of_keys, of_all = _checksums(rows, vectors)
    path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    temporary = path.with_suffix(TEMPORARY_SUFFIX)
    tensors = {"keys": rows, "vectors": vectors}
    metadata = {"fingerprint": fingerprint, "keys_sha256": of_keys, "sha256": of_all}
    if lengths is not None:
        tensors["lengths"] = np.ascontiguousarray(lengths, dtype=np.int64)
        # of its own, so that releases that do not know lengths can read the file
        metadata["lengths_sha256"] = hashlib.sha256(_bytes(tensors["lengths"])).hexdigest()
    try:
        with usual_permissions(temporary):
            save_file(tensors, temporary, metadata=metadata)
        os.replace(temporary, path)
    except BaseException:
        # on a full disk, what was written would be in the way of others
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return path


class Shard:
    """A file of vectors, mapped into memory. `keys` is `[n]`, `vectors` `[n, D]`; call `verify` before reading the vectors.

    `lengths` is `[n, 2]`, or None if the file has none.

    Raises
    ------
    BadShardError: if `write_shard` cannot have written the file for this encoder.
    FileNotFoundError: if it does not exist.
    UnreadableShardError: if it exists but may not be read.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._verified = False
        try:
            # safetensors calls a file that may not be read missing
            path.open("rb").close()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadableShardError(error.strerror) from error
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                rows: Tensor = file.get_tensor("keys")
                # a view of the mapped file, not a copy: rows are read on access
                self.vectors: Tensor = file.get_tensor("vectors")
                lengths: Tensor | None = file.get_tensor("lengths") if "lengths_sha256" in metadata else None
        except SafetensorError as error:
            raise BadShardError(str(error)) from error
        if rows.dtype != torch.uint8 or rows.shape[1:] != (KEY.itemsize,) or self.vectors.dtype != torch.float32:
            raise BadShardError("its header does not describe keys and vectors")
        if self.vectors.dim() != 2 or len(self.vectors) != len(rows):
            raise BadShardError(f"it has {len(rows)} keys for vectors of shape {list(self.vectors.shape)}")
        if metadata.get("fingerprint") != fingerprint:
            raise BadShardError("it belongs to another encoder than its folder")
        self._sha256 = metadata.get("sha256")
        keys = rows.numpy().copy()
        if hashlib.sha256(_bytes(keys)).hexdigest() != metadata.get("keys_sha256"):
            raise BadShardError("its keys do not match their checksum")
        self.keys: np.ndarray = keys.view(KEY).ravel()
        self.lengths: np.ndarray | None = None if lengths is None else lengths.numpy().copy()
        if self.lengths is not None and (
            self.lengths.shape != (len(keys), 2) or hashlib.sha256(_bytes(self.lengths)).hexdigest() != metadata["lengths_sha256"]
        ):
            raise BadShardError("the lengths of its texts do not match their checksum")

    def __len__(self) -> int:
        return len(self.keys)

    def verify(self) -> None:
        """Check the vectors against their checksum, once.

        Raises
        ------
        BadShardError: if they do not match.
        """
        if self._verified:
            return
        _, of_all = _checksums(self.keys.view(np.uint8), self.vectors.numpy())
        if of_all != self._sha256:
            raise BadShardError("its vectors do not match their checksum")
        self._verified = True


@dataclass(frozen=True)
class ShardInMemory:
    """Vectors that could not be written: `keys` `[n]`, `vectors` `[n, D]` float32, and `lengths` `[n, 2]` or None."""

    keys: np.ndarray
    vectors: Tensor
    lengths: np.ndarray | None

    def __len__(self) -> int:
        return len(self.keys)
