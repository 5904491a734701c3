"""The new folder of an artefact, which appears when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recframe.serving.artefact.manifest import ArtefactError
from recframe.tracking import atomic_folder


def require_new(folder: Path) -> None:
    """Raise ArtefactError unless `folder` does not exist, or is empty."""
    try:
        taken = folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
    except OSError as error:
        raise ArtefactError(f"{folder}: cannot be written ({error.strerror})") from None
    if taken:
        raise ArtefactError(f"{folder}: exists already; choose another folder, or remove it")


@contextmanager
def appearing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to be filled, which is renamed to `folder` at the end of the block, and removed if the block fails.

    Raises
    ------
    ArtefactError: the folder exists and is not empty, or cannot be written.
    """
    require_new(folder)
    try:
        with atomic_folder(folder) as temporary:
            yield temporary
    except OSError as error:
        raise ArtefactError(f"{folder}: cannot be written ({error.strerror or error})") from None
