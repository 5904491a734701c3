"""sweep.json: the command behind a sweep and all of its jobs, in the sweep's folder from before the first of them starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from recframe.errors import UserError
from recframe.tracking.atomic import TEMPORARY, atomic_write
from recframe.tracking.resume_command import SWEEP_NAME

LOCK_NAME = "sweep.lock"
SCHEMA = 1


class SweepFolderError(UserError):
    """A folder that cannot be used for a sweep; the message says why and what to do."""


@dataclass(frozen=True)
class SweepJob:
    """A job of a sweep.

    folder: of its run, relative to the sweep's.     overrides: of its config, without those of Hydra and of the section `sweep`.
    """

    number: int
    folder: str
    overrides: tuple[str, ...]

    @property
    def settings(self) -> frozenset[str]:
        """The overrides without their order."""
        return frozenset(self.overrides)


@dataclass(frozen=True)
class SweepFile:
    """What sweep.json holds.

    command: the overrides of the command line, as they were typed.     config_dir, config_name: its options of these names.
    jobs: by their numbers, in order. A number is never used again.
    """

    command: tuple[str, ...]
    config_dir: str | None = None
    config_name: str | None = None
    jobs: tuple[SweepJob, ...] = ()

    @property
    def next_number(self) -> int:
        """The number of the next job to be added."""
        return max((job.number for job in self.jobs), default=-1) + 1

    def with_jobs(self, jobs: Iterable[SweepJob]) -> SweepFile:
        """The same with more jobs; one whose number is there already takes its place."""
        by_number = {job.number: job for job in (*self.jobs, *jobs)}
        return replace(self, jobs=tuple(by_number[number] for number in sorted(by_number)))

    def write(self, folder: Path) -> None:
        """Write sweep.json atomically.

        Raises
        ------
        WriteError: the system refuses to.
        """
        jobs = [{"number": job.number, "folder": job.folder, "overrides": list(job.overrides)} for job in self.jobs]
        options = {"config_dir": self.config_dir, "config_name": self.config_name}
        content = {"schema": SCHEMA, "command": list(self.command), **options, "jobs": jobs}
        atomic_write(folder / SWEEP_NAME, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: str | Path) -> SweepFile:
        """The sweep in a folder.

        Raises
        ------
        SweepFolderError: it holds no sweep, or the file is damaged.
        """
        path = Path(folder) / SWEEP_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            what = f"it has no {SWEEP_NAME}, so no sweep was started there" if Path(folder).is_dir() else "there is no such folder"
            raise SweepFolderError(f"sweep.resume={folder}: {what}") from None
        except OSError as error:
            raise SweepFolderError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:
            raise SweepFolderError(f"{path}: not JSON ({error})") from None
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise SweepFolderError(
                f"{path}: has schema {content.get('schema')!r}, this recframe reads {SCHEMA}; use the version that wrote it"
            )
        try:
            return _parsed(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SweepFolderError(f"{path}: its content is damaged ({type(error).__name__}: {error})") from None


def _parsed(content: Any) -> SweepFile:
    jobs = tuple(SweepJob(int(job["number"]), str(job["folder"]), tuple(map(str, job["overrides"]))) for job in content["jobs"])
    return SweepFile(tuple(map(str, content["command"])), content["config_dir"], content["config_name"], jobs)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder of a sweep, and keep other processes from running a sweep in it for the duration of the block.

    Raises
    ------
    SweepFolderError: another process runs a sweep there.
    OSError: the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SweepFolderError(f"{folder}: another process runs this sweep; wait for it, or stop it") from None
    except NotImplementedError:
        # a file system without locks
        yield
        return
    try:
        for leftover in folder.glob(TEMPORARY):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
