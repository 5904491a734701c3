"""The checksums of a file: computed in one pass, and compared with the known ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from recframe.public_data.errors import FetchError
from recframe.public_data.public_set import Checksum

BLOCK_BYTES = 1 << 20


def digests_of(path: Path, algorithms: Iterable[str] = ("sha256",)) -> dict[str, str]:
    """The checksums of a file by algorithm, in hexadecimal. MD5 is for files whose publishers give nothing else."""
    running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            for digest in running.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in running.items()}


def verified_sha256(path: Path, name: str, known: Iterable[Checksum]) -> str:
    """The SHA-256 of a file, whose known checksums are compared.

    Parameters
    ----------
    name: what the file is called in messages.

    Raises
    ------
    FetchError: if a checksum differs.
    """
    known = tuple(known)
    digests = digests_of(path, {"sha256", *(checksum.algorithm for checksum in known)})
    for checksum in known:
        found = digests[checksum.algorithm]
        if found != checksum.value:
            raise FetchError(
                f"{name}: its {checksum.algorithm.upper()} is {found}, not {checksum.value} ({checksum.source}); the file was damaged on "
                "the way or changed by its publisher"
            )
    return digests["sha256"]
