"""Where an artefact is pushed to and pulled from: a plain folder, or a repository of the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from recframe.serving.artefact.manifest import ArtefactError

HUB = "hf://"
REPOSITORY = re.compile(r"hf://(?P<name>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^@\s]+))?", re.ASCII)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
RIGHT = "a folder, file:///folder and hf://owner/name[@revision] are right"


@dataclass(frozen=True)
class Repository:
    """A repository of the hub, as `owner/name`, and a branch, tag or commit of it; None: its main branch."""

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{HUB}{self.name}" + (f"@{self.revision}" if self.revision else "")


def place_of(text: str | Path) -> Path | Repository:
    """The folder or repository that `text` names.

    Raises
    ------
    ArtefactError: it names neither.
    """
    given = str(text)
    if not SCHEME.match(given):
        return Path(given).expanduser()
    if given.startswith(HUB):
        if found := REPOSITORY.fullmatch(given):
            return Repository(found["name"], found["revision"])
        raise ArtefactError(f"{given}: is no repository; {RIGHT}")
    address = urlsplit(given)
    if address.scheme == "file" and address.netloc in ("", "localhost") and address.path.startswith("/"):
        return Path(unquote(address.path))
    raise ArtefactError(f"{_without_password(given)}: artefacts are not kept there; {RIGHT}")


def _without_password(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)
