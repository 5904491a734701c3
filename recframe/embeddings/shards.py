"""One file of cached vectors: written whole or not at all, mapped when read, and trusted only after its checksums agree."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

KEY = np.dtype("V16")
"""What a text is found by: 128 bits of a SHA-256."""

SUFFIX = ".safetensors"
TEMPORARY_SUFFIX = ".tmp"


class BadShardError(Exception):
    """A file that is not what was once written: cut short, overwritten, or with flipped bits."""


def text_keys(texts: Sequence[str], role: str) -> np.ndarray:
    """The keys `[n]` of texts in a role; equal keys, equal texts.

    Raises
    ------
    TypeError: naming the first entry that is not a string.
    """
    prefix = role.encode() + b"\0"
    try:
        # lone surrogates cannot reach every tokenizer, but that is the encoder's to say
        digests = [hashlib.sha256(prefix + text.encode("utf-8", "surrogatepass")).digest()[: KEY.itemsize] for text in texts]
    except AttributeError:
        row, entry = next((row, entry) for row, entry in enumerate(texts) if not isinstance(entry, str))
        raise TypeError(f"text {row} of {len(texts)} to be encoded is {entry!r}; every text must be a string") from None
    return np.frombuffer(b"".join(digests), dtype=KEY)


def _checksums(keys: np.ndarray, vectors: np.ndarray) -> tuple[str, str]:
    """Checksums of the keys alone (verified when a shard is opened), and of keys and vectors (when it is first read)."""
    of_keys = hashlib.sha256(memoryview(keys).cast("B"))
    of_all = of_keys.copy()
    of_all.update(memoryview(vectors).cast("B"))
    return of_keys.hexdigest(), of_all.hexdigest()


def write_shard(folder: Path, fingerprint: str, keys: np.ndarray, vectors: np.ndarray) -> Path:
    """Write vectors `[n, D]` under their keys `[n]` to a new file of `folder`, and return its path.

    The name is new every time: a reader that finds a damaged shard and removes it can never hit its replacement.
    """
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), KEY.itemsize)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    of_keys, of_all = _checksums(rows, vectors)
    path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    temporary = path.with_suffix(TEMPORARY_SUFFIX)
    save_file(
        {"keys": rows, "vectors": vectors},
        temporary,
        metadata={"fingerprint": fingerprint, "keys_sha256": of_keys, "sha256": of_all},
    )
    os.replace(temporary, path)
    return path


class Shard:
    """A file of vectors, mapped into memory. `keys` is `[n]`, `vectors` `[n, D]`; look at the vectors only after `verify`.

    Raises
    ------
    BadShardError: if the file cannot be one that `write_shard` wrote for this encoder.
    FileNotFoundError: if it is gone.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._verified = False
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                rows: Tensor = file.get_tensor("keys")
                # a view of the mapped file, not a copy: rows are read when they are asked for
                self.vectors: Tensor = file.get_tensor("vectors")
        except SafetensorError as error:
            raise BadShardError(str(error)) from error
        if rows.dtype != torch.uint8 or rows.shape[1:] != (KEY.itemsize,) or self.vectors.dtype != torch.float32:
            raise BadShardError("its header does not describe keys and vectors")
        if self.vectors.dim() != 2 or len(self.vectors) != len(rows):
            raise BadShardError(f"it holds {len(rows)} keys for vectors of shape {list(self.vectors.shape)}")
        if metadata.get("fingerprint") != fingerprint:
            raise BadShardError("it names another encoder than the folder it lies in")
        self._sha256 = metadata.get("sha256")
        keys = rows.numpy().copy()
        if hashlib.sha256(memoryview(keys).cast("B")).hexdigest() != metadata.get("keys_sha256"):
            raise BadShardError("its keys do not match their checksum")
        self.keys: np.ndarray = keys.view(KEY).ravel()

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
