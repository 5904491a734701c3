"""The download of one file under another name, which goes on where an earlier one stopped, and is renamed once it is verified."""

from __future__ import annotations

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from recframe import __version__
from recframe.console import plain
from recframe.public_data.checksums import verified_sha256
from recframe.public_data.errors import FetchError, Lost
from recframe.public_data.public_set import PublicFile
from recframe.public_data.requests_to_host import Session, answer_of

BLOCK_BYTES = 1 << 16
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
FULL_RANGE = re.compile(r"bytes \*/(\d+)")

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived, and those of the file, or None if they are not known."""


@dataclass(frozen=True)
class Patience:
    """How long a download goes on against trouble.

    connect: seconds to connect.    read: seconds without a byte.    attempts: tries without any progress.    pause: seconds between two.
    """

    connect: float = 15.0
    read: float = 60.0
    attempts: int = 4
    pause: float = 3.0


def download(file: PublicFile, target: Path, session: Session, progress: Progress, patience: Patience, expected: str | None = None) -> str:
    """Download `file` to `target` and return its SHA-256.

    What arrives is in `target` with ".part" until all of it is there and its checksums are right. A connection that breaks is taken up
    again, in this call and in later ones, if the server can continue, and if it can be told that it is the same file: by its validator
    (RFC 9110, If-Range), or by a known checksum in the end.

    Parameters
    ----------
    expected: the SHA-256 of an earlier download, for a file without a known checksum.

    Raises
    ------
    FetchError: if the file cannot be had, is not the one that is known, or does not fit; `target` does not exist then.
    """
    assert file.address is not None
    part = _Part(target.with_name(f"{target.name}.part"), file)
    try:
        _complete(part, session, progress, patience)
        part.check(expected)
        part.path.replace(target)
        part.forget()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FetchError(
            f"{target.parent}: the disk is full after {part.size:,} bytes of {target.name}; make room and repeat the command, which "
            "goes on from there"
        ) from error
    return part.sha256


def _complete(part: _Part, session: Session, progress: Progress, patience: Patience) -> None:
    """Receive what is missing, in as many connections as that takes."""
    failures = 0
    while True:
        before = part.size
        try:
            if _receive(part, session, progress, patience):
                return
        except Lost as lost:
            failures = 1 if part.size > before else failures + 1
            if failures >= patience.attempts:
                kept = f" ({part.size:,} bytes of {part.file.name} are kept)" if part.size else ""
                raise FetchError(f"{lost}, {failures} times; repeat the command later, and it goes on from there{kept}") from lost
            time.sleep(patience.pause)


def _receive(part: _Part, session: Session, progress: Progress, patience: Patience) -> bool:
    """Ask once and receive. Whether the file is complete; if not, the part was useless and is gone."""
    file = part.file
    headers = {"Accept-Encoding": "identity", "User-Agent": f"recframe/{__version__}", **part.request()}
    assert file.address is not None
    with answer_of(session, file.address, file.hosts, headers, (patience.connect, patience.read)) as answer:
        if answer.status_code == 416:
            whole = FULL_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if whole and part.size and int(whole[1]) == part.size:
                return True
            part.discard()
            return False
        if "text/html" in answer.headers.get("Content-Type", "") and not file.name.endswith(".html"):
            host = urlsplit(file.address).netloc
            raise FetchError(f"{host} sends a web page instead of {file.name}: a login, a notice or a proxy is in between")
        total = part.begin(answer.status_code, answer.headers)
        known = total if total is not None else file.size
        if known is not None and (missing := known - part.size) > (free := shutil.disk_usage(part.path.parent).free):
            raise FetchError(f"{part.path.parent}: {file.name} needs {missing:,} more bytes, and the disk has {free:,} left")
        limit = file.largest if known is None else known
        progress(part.size, known)
        with part.path.open("ab") as out:
            for block in answer.raw.stream(BLOCK_BYTES, decode_content=False):
                if out.tell() + len(block) > limit:
                    out.close()
                    part.discard()
                    raise FetchError(f"{file.name}: more than {limit:,} bytes arrive, which is its size or largest size: given up")
                out.write(block)
                progress(out.tell(), known)
    if known is not None and part.size < known:
        raise Lost(f"the connection ended after {part.size:,} of {known:,} bytes")
    return True


class _Part:
    """The beginning of a file, with the address and the validator that it was received with.

    Attributes
    ----------
    sha256: of the complete file, after `check`.
    """

    def __init__(self, path: Path, file: PublicFile) -> None:
        self.path = path
        self.file = file
        self.note = path.with_name(f"{path.name}.json")
        self.sha256 = ""
        noted = self._noted()
        if noted.get("address") != file.address:
            self.discard()
        self.validator = noted.get("validator", "")

    def _noted(self) -> dict[str, str]:
        try:
            noted = json.loads(self.note.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in noted.items() if isinstance(value, str)} if isinstance(noted, dict) else {}

    @property
    def size(self) -> int:
        """The bytes that have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def discard(self) -> None:
        """Begin again."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.validator = ""

    def forget(self) -> None:
        """Remove the note of a file that is complete."""
        self.note.unlink(missing_ok=True)

    def request(self) -> dict[str, str]:
        """The headers that ask for the rest."""
        if not self.size:
            return {}
        if not self.validator and not self.file.checksums:
            self.discard()  # nothing would notice that the rest is that of another file
            return {}
        condition = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={self.size}-"} | condition

    def begin(self, status: int, headers: Mapping[str, str]) -> int | None:
        """Prepare for what an answer brings: the rest, or the whole file. Returns the bytes of the file, if the answer says them."""
        where = RANGE.fullmatch(headers.get("Content-Range", ""))
        if status == 206:
            if where is None or int(where[1]) != self.size:
                self.discard()
                raise Lost(f"{urlsplit(self.file.address or '').netloc} continues at another place than asked for")
            total = None if where[2] == "*" else int(where[2])
        else:
            self.discard()
            length = headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        if total is not None and self.file.size is not None and total != self.file.size:
            self.discard()
            raise FetchError(f"{self.file.name}: has {total:,} bytes, but {self.file.size:,} are known: its publisher changed it")
        etag = headers.get("ETag", "")
        # a weak validator does not promise the same bytes
        self.validator = plain(headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag, most=500)
        self.note.write_text(json.dumps({"address": self.file.address, "validator": self.validator}), "utf-8")
        return total

    def check(self, expected: str | None) -> None:
        """Compare the complete file with what is known of it; a wrong one is removed."""
        try:
            if self.file.size is not None and self.size != self.file.size:
                raise FetchError(f"{self.file.name}: has {self.size:,} bytes, but {self.file.size:,} are known: its publisher changed it")
            self.sha256 = verified_sha256(self.path, self.file.name, self.file.checksums)
            if expected is not None and self.sha256 != expected:
                raise FetchError(
                    f"{self.file.name}: its SHA-256 is {self.sha256}, but {expected} when it was fetched before: its publisher changed it "
                    "without a word; to take the new one all the same, fetch it into another folder"
                )
        except FetchError:
            self.discard()
            raise
