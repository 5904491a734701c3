"""A public data set brought into a folder: its files downloaded or found there, verified, unpacked and converted."""

from __future__ import annotations

import csv
import fnmatch
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from recframe.console import plain
from recframe.public_data.checksums import verified_sha256
from recframe.public_data.download import Patience, Progress, download
from recframe.public_data.errors import FetchError
from recframe.public_data.public_set import PublicFile, PublicSet
from recframe.public_data.record import Record
from recframe.public_data.requests_to_host import Session
from recframe.public_data.unpacking import unpack

Report = Callable[[str], None]
"""Called with a line about each thing that is done."""

ProgressOf = Callable[[PublicFile], AbstractContextManager[Progress]]
"""Opens what shows the progress of a file."""

LOCK = ".fetch.lock"


class Fetched(NamedTuple):
    """What `fetch` leaves. settings: the preset's settings that name files, with their paths, such as `{"path": "data/ml-1m/ml-1m"}`."""

    folder: Path
    settings: dict[str, Path]


def fetch(
    public_set: PublicSet,
    folder: Path,
    *,
    accept: Callable[[], bool],
    report: Report,
    progress_of: ProgressOf,
    patience: Patience | None = None,
) -> Fetched | None:
    """Bring a set into `folder`. A file that lies there under its name is taken instead of being downloaded.

    What was done already is not done again; `fetched.json` in the folder has the checksums. Nothing is downloaded or unpacked without
    `accept`, which is not asked if the folder's record says that the same terms were accepted.

    Parameters
    ----------
    accept: asks whether the terms are accepted.
    progress_of: shows the progress while a file arrives.

    Returns
    -------
    None if the terms were refused.

    Raises
    ------
    FetchError: if a file cannot be had, or is not what it should be. No file is left under its name then unless it is complete and right.
    """
    if Record(folder, public_set.label).accepted != public_set.licence.name and not accept():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            record = Record(folder, public_set.label)
            record.accept(public_set.licence.name)
            _require_files(public_set, folder, record)
            with Session() as session:
                for file in public_set.files:
                    _bring(public_set, file, folder, record, session, report, progress_of, patience or Patience())
            _convert(public_set, folder, record, report)
    except Timeout:
        raise FetchError(f"{folder}: another process is fetching into it") from None
    settings = {key: folder / path for key, path in public_set.settings.items()}
    if lacking := [str(path) for path in settings.values() if not path.exists()]:
        raise FetchError(f"{public_set.name}: {', '.join(lacking)} should be there now, and is not; remove {folder} and fetch it again")
    return Fetched(folder, settings)


def _require_files(public_set: PublicSet, folder: Path, record: Record) -> None:
    """Refuse at once if a file is not there and has no address."""
    lacking = [file.name for file in public_set.files if file.address is None and not _done(file, folder, record)]
    lacking = [name for name in lacking if not (folder / name).is_file()]
    if lacking:
        raise FetchError(
            f"{public_set.name} has no address that can be downloaded. {public_set.get} Put {', '.join(lacking)} into {folder} and repeat "
            f"this command. See {public_set.page}"
        )


def _done(file: PublicFile, folder: Path, record: Record) -> bool:
    """Whether a file was fetched and unpacked, and nothing of it is missing."""
    gave = record.files(file.name)
    wanted = (file.name,) if file.unpacking is None else tuple(f"{file.unpacking.into}*{pattern}" for pattern in file.unpacking.members)
    if not all(fnmatch.filter(gave, pattern) for pattern in wanted):
        return False
    return all((folder / path).is_file() and (folder / path).stat().st_size == size for path, size in gave.items())


def _bring(
    public_set: PublicSet,
    file: PublicFile,
    folder: Path,
    record: Record,
    session: Session,
    report: Report,
    progress_of: ProgressOf,
    patience: Patience,
) -> None:
    if _done(file, folder, record):
        report(f"{file.name}: is there already")
        return
    path = folder / file.name
    before = record.sha256(file.name)
    if path.is_file():
        report(f"{file.name}: lies in {folder} and is not downloaded")
        sha256 = verified_sha256(path, file.name, file.checksums)
        if before is not None and before != sha256:
            raise FetchError(f"{path}: is not what was fetched before (SHA-256 {sha256}, then {before}); remove it")
        if file.size is not None and path.stat().st_size != file.size:
            raise FetchError(f"{path}: has {path.stat().st_size:,} bytes, but {file.size:,} are known; remove it")
    else:
        try:
            with progress_of(file) as progress:
                sha256 = download(file, path, session, progress, patience, expected=before)
        except FetchError as error:
            raise FetchError(f"{error}. See {public_set.page}") from error
    record.note(file.name, address=file.address, sha256=sha256, size=path.stat().st_size)
    if file.checksums:
        report(f"{file.name}: {' and '.join(checksum.algorithm.upper() for checksum in file.checksums)} as known")
    elif before is not None:
        report(f"{file.name}: the same as before")
    else:
        report(f"{file.name}: no checksum is published; {record.path} has the SHA-256 of what came, {sha256}, for the next time")
    gave = {file.name: path.stat().st_size} if file.unpacking is None else unpack(path, folder, file.unpacking)
    record.note(file.name, files=record.files(file.name) | gave)
    if file.unpacking is not None:
        report(f"{file.name}: unpacked {len(gave)} file{'s' if len(gave) > 1 else ''}, {sum(gave.values()):,} bytes")


def _convert(public_set: PublicSet, folder: Path, record: Record, report: Report) -> None:
    if public_set.convert is None:
        return
    sources = {file.name: record.sha256(file.name) for file in public_set.files}
    if record.converted == sources and all((folder / name).is_file() for name in public_set.converted):
        return
    try:
        remark = public_set.convert(folder)
    except (csv.Error, UnicodeDecodeError, FileNotFoundError) as error:
        raise FetchError(
            f"{public_set.name}: a file cannot be converted ({plain(str(error))}); it is damaged or of another layout"
        ) from error
    record.note_converted(sources)
    report(f"converted to {', '.join(public_set.converted)}{f': {remark}' if remark else ''}")
