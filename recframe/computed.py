"""Results of long computations, kept in a folder and shared by processes: fitted user models, reference policies, their evaluations.

A result is found by what determines it: the key that the caller gives, and the identity of the store (code, versions, data, machine). So
an entry never becomes invalid, and a run has the same numbers with it as without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from recframe.files import usual_permissions

log = logging.getLogger(__name__)

FORMAT = "recframe computed 1"
"""Part of every key, so that files of another layout are never read."""

SUFFIX = ".safetensors"


class Computed(NamedTuple):
    """A result. `tensors` by name, on the CPU; `values`: whatever JSON holds, with NaN and infinite numbers."""

    tensors: Mapping[str, Tensor]
    values: Any = None


class ComputedStore:
    """The results in a folder. Where it cannot be written, results are computed, and not kept.

    Parameters
    ----------
    folder: created when the first result is written.   identity: what determines all results: code, versions, data, machine; for JSON.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = identity

    def get(self, what: str, key: Mapping[str, Any], compute: Callable[[], Computed]) -> Computed:
        """The result `what` for this key, computed by one of the processes that ask for it; the others wait."""
        path = self.folder / what.replace(" ", "_") / f"{_sha256([FORMAT, what, self.identity, key])}{SUFFIX}"
        if (found := self._read(path)) is not None:
            log.info("%s: computed before, from the cache", what)
            return found
        with self._alone(path, what) as writable:
            if writable and (found := self._read(path)) is not None:
                log.info("%s: another process has just computed it", what)
                return found
            computed = compute()
            if writable:
                self._write(path, computed)
        return computed

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block, `computed` uses this store."""
        before = _active.set(self)
        try:
            yield
        finally:
            _active.reset(before)

    @contextmanager
    def _alone(self, path: Path, what: str) -> Iterator[bool]:
        """Hold the lock of a result; yields whether it may be written. The kernel releases the lock of a process that dies."""
        lock = FileLock(path.with_suffix(".lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.info("%s: another process computes it; waiting for it", what)
                lock.acquire()
        except OSError as error:
            log.info("%s: not kept, because %s cannot be written (%s)", what, path.parent, error.strerror or error)
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _read(self, path: Path) -> Computed | None:
        """The result in a file; None if there is none. A damaged one is removed."""
        try:
            # safetensors calls a file that may not be read missing
            path.open("rb").close()
        except OSError:
            return None
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                # copies: a file that is mapped into memory could change
                tensors = {name: file.get_tensor(name).clone() for name in json.loads(about["names"])}
            if about["sha256"] != _checksum(tensors, about["values"]):
                raise ValueError("it does not match its checksum")
            return Computed(tensors, json.loads(about["values"]))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the cached result %s is damaged (%s): it is removed and computed again", path, error)
            try:
                path.unlink(missing_ok=True)
            except OSError:
                log.debug("%s cannot be removed", path, exc_info=True)
            return None

    def _write(self, path: Path, computed: Computed) -> None:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in computed.tensors.items()}
        values = json.dumps(computed.values)
        about = {"names": json.dumps(list(tensors)), "values": values, "sha256": _checksum(tensors, values)}
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with usual_permissions(temporary):
                temporary.write_bytes(save(tensors, about))
            os.replace(temporary, path)
        except OSError as error:
            log.warning("%s cannot be written (%s): the next run computes it again", path, error.strerror or error)
            temporary.unlink(missing_ok=True)


_active: ContextVar[ComputedStore | None] = ContextVar("computed", default=None)


def computed(what: str, key: Mapping[str, Any], compute: Callable[[], Computed]) -> Computed:
    """The result of `compute()`, which may have been computed by another run; without an active store it is computed.

    Parameters
    ----------
    what: its name, in words.   key: all that it depends on besides the identity of the active store; for JSON.
    """
    store = _active.get()
    return compute() if store is None else store.get(what, key, compute)


def tensors_sha256(*tensors: Tensor | None) -> str:
    """The SHA-256 of tensors' values, shapes and types, for a key."""
    return _checksum({str(place): tensor for place, tensor in enumerate(tensors) if tensor is not None}, "")


def _sha256(key: Any) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()


def _checksum(tensors: Mapping[str, Tensor], values: str) -> str:
    digest = hashlib.sha256(values.encode())
    for name, tensor in tensors.items():
        # with the shape, so that numbers cannot be divided differently
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}:".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()
