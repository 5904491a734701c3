"""Opens a store for a command, with a message where its library is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recframe.feedback.errors import StoreError

if TYPE_CHECKING:
    from recframe.feedback.store import FeedbackStore


def open_store(url: str) -> FeedbackStore:
    """Open a store, and create it where there is none; see `FeedbackStore.open`.

    Raises
    ------
    StoreError: as there, or the database library is not installed.
    """
    try:
        import sqlalchemy  # noqa: F401
    except ModuleNotFoundError:
        raise StoreError("a store of feedback needs sqlalchemy: pip install 'recframe[serve]'") from None
    from recframe.feedback.store import FeedbackStore

    return FeedbackStore.open(url)


def open_existing(url: str) -> FeedbackStore:
    """Open a store to read it. An SQLite file must exist: a wrong name does not create an empty one.

    Raises
    ------
    StoreError: as `open_store`, or there is no such file.
    """
    path = url.removeprefix("sqlite:///").partition("?")[0]
    if path != url and not Path(path).is_file():
        raise StoreError(f"{url}: there is no file {path}")
    return open_store(url)
