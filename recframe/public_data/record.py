"""The record of what was fetched into a folder, `fetched.json`: accepted terms, addresses and checksums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recframe.public_data.errors import FetchError

RECORD = "fetched.json"


class Record:
    """What `fetched.json` in a set's folder says. Every change is written at once, under another name that is then renamed.

    Raises
    ------
    FetchError: if the file is no such record, or that of another set.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / RECORD
        self.content: dict[str, Any] = {"set": name, "accepted": None, "files": {}}
        if self.path.exists():
            self.content |= self._read()
            if self.content["set"] != name:
                raise FetchError(f"{folder} holds {self.content['set']!r}; choose another folder for {name} with --folder")

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text("utf-8"))
            if not (isinstance(content["set"], str) and all(isinstance(entry, dict) for entry in content["files"].values())):
                raise TypeError
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FetchError(f"{self.path}: is not a record of recframe data fetch ({error or 'wrong form'}); remove it") from None
        return dict(content)

    @property
    def accepted(self) -> str | None:
        """The name of the licence that was accepted, or None."""
        return self.content["accepted"] if isinstance(self.content["accepted"], str) else None

    def accept(self, licence: str) -> None:
        """Note that the terms of a licence were accepted."""
        self.content["accepted"] = licence
        self._write()

    def sha256(self, name: str) -> str | None:
        """The SHA-256 with which a file was fetched before, or None."""
        found = self.content["files"].get(name, {}).get("sha256")
        return found if isinstance(found, str) else None

    def files(self, name: str) -> dict[str, int]:
        """What a file gave: itself, or what it was unpacked into, as paths below the folder with their bytes; empty before that."""
        found = self.content["files"].get(name, {}).get("files")
        return found if isinstance(found, dict) else {}

    def note(self, name: str, **values: object) -> None:
        """Note what is known of a file: its address, sha256, size, and the `files` that it gave."""
        self.content["files"].setdefault(name, {}).update(values)
        self._write()

    @property
    def converted(self) -> object:
        """The checksums by name of the files that were converted, or None."""
        return self.content.get("converted")

    def note_converted(self, sources: dict[str, str | None]) -> None:
        """Note that files of these checksums were converted."""
        self.content["converted"] = sources
        self._write()

    def _write(self) -> None:
        other = self.path.with_name(f".{RECORD}.new")
        other.write_text(json.dumps(self.content, indent=2) + "\n", "utf-8")
        other.replace(self.path)
