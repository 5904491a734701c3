"""What messages call a store."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["file_like"]

PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


def file_like(url: str) -> Path:
    """The file of an SQLite database, or the address of another without its password, in the type of a file's name."""
    path = url.removeprefix("sqlite:///")
    return Path(path.partition("?")[0]) if path != url else Path(PASSWORD.sub(r"\1@", url))
