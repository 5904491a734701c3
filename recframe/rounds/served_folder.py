"""The folder that a server watches, as a link to one version of an artefact, which is exchanged in one step."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from recframe.errors import UserError
from recframe.serving.artefact.card import CARD
from recframe.serving.artefact.manifest import MANIFEST, Manifest, read_manifest, unchecked_manifest
from recframe.tracking import atomic_folder, atomic_write

POLICIES, ASIDE, REPLACED, PENDING = "policies", "aside", "replaced", "pending.json"


class ServedFolderError(UserError):
    """A folder that cannot be served from, or that recframe learn cannot exchange."""


class ServedFolder:
    """FOLDER, a link to `FOLDER.rounds/policies/VERSION`. A plain folder is copied there and replaced by a link at first.

    Parameters
    ----------
    link: FOLDER.   home: where versions are kept, usually `FOLDER.rounds`.
    """

    def __init__(self, link: Path, home: Path) -> None:
        self.link = link.absolute()
        self.home = home.absolute()

    def prepare(self) -> None:
        """Make a link of a plain folder, and finish what a process that was killed has begun.

        Raises
        ------
        ArtefactError: it is no artefact, or a damaged one.   ServedFolderError: a folder has other files than those of an artefact.
        """
        aside = self.home / REPLACED
        if not os.path.lexists(self.link) and (aside / MANIFEST).is_file():
            # killed between the two renames below
            os.rename(aside, self.link)
        if not self.link.is_symlink():
            version = self._kept_copy()
            self.home.mkdir(parents=True, exist_ok=True)
            self._remove_replaced()
            # a server that looks just now finds no artefact, and keeps the one that it has
            os.rename(self.link, aside)
            self._point_to(self.home / POLICIES / version)
        self._remove_replaced()
        self.current()

    def current(self) -> Path:
        """The folder of the version that is served.

        Raises
        ------
        ArtefactError: it is no artefact, or a damaged one.
        """
        folder = self.link.resolve()
        read_manifest(folder)
        return folder

    def keep(self, folder: Path, version: str) -> Path:
        """Move a new artefact to the versions; one that is there already is the same."""
        return self._moved(folder, self.home / POLICIES / version)

    def put_aside(self, folder: Path, version: str, reason: str) -> Path:
        """Move an artefact that is not served to `aside`, with the reason in a file beside it."""
        target = self._moved(folder, self.home / ASIDE / version)
        atomic_write(target.with_name(f"{version}.txt"), reason + "\n")
        return target

    @staticmethod
    def _moved(folder: Path, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(folder)
        else:
            os.rename(folder, target)
        return target

    def announce(self, version: str, record: dict[str, Any]) -> None:
        """Write down that this version is about to be served, with the record of its round, so that `pending` finds it after a kill."""
        atomic_write(self.home / PENDING, json.dumps({"version": version, "record": record}) + "\n")

    def pending(self) -> dict[str, Any] | None:
        """The exchange that was announced and not finished."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.home / PENDING).read_text(encoding="utf-8"))
            return found
        return None

    def swap_in(self, version: str) -> None:
        """Serve this version, in one step: a reader of the link finds the old one or the new one."""
        self._point_to(self.home / POLICIES / version)

    def finish(self) -> None:
        """Forget what was announced."""
        (self.home / PENDING).unlink(missing_ok=True)

    def _kept_copy(self) -> str:
        manifest = read_manifest(self.link)
        names = {entry.name for entry in self.link.iterdir()}
        if others := sorted(names - _own_names(manifest)):
            raise ServedFolderError(
                f"{self.link}: has {others[0]}, which is no file of the artefact; move it away, since a link takes its place"
            )
        target = self.home / POLICIES / manifest.version
        if target.exists():
            # the only copy, as soon as the folder is removed
            read_manifest(target)
        else:
            with atomic_folder(target) as temporary:
                for name in names:
                    shutil.copy2(self.link / name, temporary / name)
        return manifest.version

    def _remove_replaced(self) -> None:
        """Remove the folder that a link replaced, and nothing else. The manifest goes last, since it has the names of the others."""
        folder = self.home / REPLACED
        if not os.path.lexists(folder):
            return
        try:
            if (folder / MANIFEST).is_file():
                manifest = unchecked_manifest(folder)
                read_manifest(self.home / POLICIES / manifest.version)
                for name in _own_names(manifest) - {MANIFEST}:
                    (folder / name).unlink(missing_ok=True)
                (folder / MANIFEST).unlink()
            folder.rmdir()
        except (OSError, UserError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ServedFolderError(f"{folder}: recframe learn did not put there what is in it ({why}); move it away") from None

    def _point_to(self, target: Path) -> None:
        # relative, so that both can be moved together
        relative = os.path.relpath(target, self.link.parent)
        temporary = self.link.with_name(f".{self.link.name}.{secrets.token_hex(4)}.tmp")
        os.symlink(relative, temporary, target_is_directory=True)
        os.replace(temporary, self.link)
        descriptor = os.open(self.link.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _own_names(manifest: Manifest) -> set[str]:
    """The names of all files that the folder of an artefact has."""
    return {*manifest.files, MANIFEST, CARD}
