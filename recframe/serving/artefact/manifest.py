"""artefact.json: what an artefact is of, and the checksums of its files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from recframe.components import Kind
from recframe.errors import UserError
from recframe.files import file_sha256
from recframe.interfaces import EnvironmentSpec

MANIFEST, WEIGHTS = "artefact.json", "policy.safetensors"
SECTIONS = (Kind.AGENT, Kind.STATE_TRACKER, Kind.ENCODER)
"""The components that an artefact has the configs of."""

FORMAT = 1
VERSION_LENGTH = 12
NAME = re.compile(r"\w[\w.-]*\.\w+", re.ASCII)
"""The name of a file of an artefact: in no folder, not hidden, and the same in every system."""


class ArtefactError(UserError):
    """A folder that is no artefact, is damaged, or cannot be written; the message names the folder or the file."""


@dataclass(frozen=True)
class Manifest:
    """The content of artefact.json.

    version: a hash of everything by which the policy decides: two artefacts with the same one give the same answers.
    created: the time of the export, ISO 8601.   versions: of recframe and of torch.
    sections: the config of `agent`, `state_tracker` and `encoder`.   origins: the distribution of each of these.
    spec: the shapes that the policy was built for.   ranks, excludes_history: as for `LoadedPolicy`.   seed: the run's.
    new_texts: why new texts cannot be read; empty: they can.   sizes: numbers of items, users and contexts.
    files: the SHA-256 of each file by its name.   onnx: the inputs and the output of `policy.onnx`; empty: there is none.
    """

    version: str
    created: str
    versions: dict[str, str]
    sections: dict[str, Any]
    origins: dict[str, Any]
    spec: dict[str, Any]
    ranks: bool
    excludes_history: bool
    seed: int
    new_texts: str
    sizes: dict[str, int]
    files: dict[str, str]
    onnx: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The content of the file."""
        return json.dumps({"artefact": FORMAT, **asdict(self)}, indent=2) + "\n"

    def environment_spec(self) -> EnvironmentSpec:
        """The shapes that the policy was built for, on the CPU."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in self.spec.items()}
        try:
            return EnvironmentSpec(**values, device=torch.device("cpu"))
        except TypeError as error:
            raise ArtefactError(f"{MANIFEST}: the entry spec is not recframe's ({error}); export the run again") from None


def spec_entry(spec: EnvironmentSpec) -> dict[str, Any]:
    """A specification as an entry of artefact.json."""
    return {entry.name: getattr(spec, entry.name) for entry in fields(spec) if entry.name != "device"}


def version_of(deciding: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """The version of an artefact with these entries and files."""
    content = json.dumps([deciding, files], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:VERSION_LENGTH]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact whose files are all there and undamaged.

    Raises
    ------
    ArtefactError: if not.
    """
    manifest = unchecked_manifest(folder)
    for name, checksum in manifest.files.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            raise ArtefactError(f"{folder / name}: cannot be read ({error.strerror}); copy the whole artefact") from None
        if found != checksum:
            raise ArtefactError(f"{folder / name}: is damaged or was changed: its SHA-256 is not that in {MANIFEST}; copy it again")
    return manifest


def unchecked_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact, whose other files are not looked at: they may be missing or damaged.

    Raises
    ------
    ArtefactError: it is no manifest, or lists what can be no file of an artefact.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        written_by = content["artefact"]
        if written_by != FORMAT:
            raise ArtefactError(f"{path}: artefacts of format {written_by!r} cannot be read, only {FORMAT}; export the run again")
        manifest = Manifest(**{"onnx": {}, **{entry.name: content[entry.name] for entry in fields(Manifest) if entry.name != "onnx"}})
        listed = {str(name): str(checksum) for name, checksum in manifest.files.items()}
    except FileNotFoundError:
        raise ArtefactError(f"{folder}: has no {MANIFEST}, so it is not an artefact; recframe export makes one of a run") from None
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtefactError(f"{path}: recframe did not write it ({type(error).__name__}: {error}); export the run again") from None
    for name in listed:
        if not NAME.fullmatch(name) or name == MANIFEST:
            raise ArtefactError(f"{path}: {name!r} is no file of an artefact; export the run again")
    return manifest
