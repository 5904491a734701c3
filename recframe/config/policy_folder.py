"""The folder of a trained policy, an artefact or a run, as the config of a run reads it that starts from there. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recframe.config.problems import ConfigError
from recframe.files import file_sha256

ARTEFACT, ARTEFACT_FORMAT = "artefact.json", 1
EXPORT = "export the run: recframe export RUN FOLDER, and use init=FOLDER"
KINDS = ("agent", "state_tracker", "encoder")


@dataclass(frozen=True)
class PolicyFolder:
    """A trained policy on disk.

    version: of an artefact, its own; of a run, the beginning of the SHA-256 of its weights.
    sections: the configs of its agent, state tracker and encoder.   weights: the file of its weights.
    is_run: whether it is a run's folder.   files: the names of an artefact's files.
    spec: the shapes that an artefact's policy was built for.   new_texts: why it cannot read new texts; empty: it can.
    shuffled: whether the text vectors of a run were shuffled.
    """

    path: Path
    version: str
    sections: Mapping[str, Any]
    weights: Path
    is_run: bool
    files: tuple[str, ...] = ()
    spec: Mapping[str, Any] | None = None
    new_texts: str = ""
    shuffled: bool = False

    @classmethod
    def read(cls, path: Path) -> PolicyFolder:
        """Read what is in a folder. The files of an artefact are compared with their checksums.

        Raises
        ------
        ConfigError: there is no policy, or it is damaged.
        """
        path = path.expanduser()
        if (path / ARTEFACT).is_file():
            return _artefact(path)
        if (path / "config.yaml").is_file():
            return _run(path)
        what = "there is no such folder" if not path.is_dir() else f"it has neither {ARTEFACT} nor config.yaml"
        raise ConfigError([f"init={path}: {what}; right is the folder of an artefact (recframe export) or of a finished run"])


def _artefact(path: Path) -> PolicyFolder:
    try:
        content = json.loads((path / ARTEFACT).read_text(encoding="utf-8"))
        if content["artefact"] != ARTEFACT_FORMAT:
            raise ConfigError([f"init={path}: an artefact of format {content['artefact']!r} cannot be read; {EXPORT}"])
        sections = {kind: dict(content["sections"][kind]) for kind in KINDS}
        checksums = {str(name): str(checksum) for name, checksum in content["files"].items()}
        version, spec, new_texts = str(content["version"]), dict(content["spec"]), str(content["new_texts"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError([f"init={path}: {ARTEFACT} is damaged ({type(error).__name__}: {error}); {EXPORT}"]) from None
    for name, checksum in checksums.items():
        if Path(name).name != name:
            raise ConfigError([f"init={path}: {name!r} is no file of an artefact; {EXPORT}"])
        try:
            found = file_sha256(path / name)
        except OSError as error:
            raise ConfigError([f"init={path}: {name} cannot be read ({error.strerror}); copy the whole artefact"]) from None
        if found != checksum:
            raise ConfigError([f"init={path}: {name} is damaged or was changed: its SHA-256 is not that in {ARTEFACT}; copy it again"])
    return PolicyFolder(path, version, sections, path / "policy.safetensors", False, tuple(checksums), spec, new_texts)


def _run(path: Path) -> PolicyFolder:
    weights = path / "checkpoints" / "final.safetensors"
    try:
        version = file_sha256(weights)[:12]
    except OSError:
        raise ConfigError([f"init={path}: the run is not finished, it has no {weights.name}; go on with it: resume={path}"]) from None
    try:
        config = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
        sections = {kind: dict(config[kind]) for kind in KINDS}
        shuffled = bool(config["embeddings"]["shuffle"])
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise ConfigError([f"init={path}: config.yaml is not a run's ({type(error).__name__}: {error})"]) from None
    why = "its language model was tuned" if weights.with_stem(f"{weights.stem}_encoder").exists() else ""
    return PolicyFolder(path, version, sections, weights, True, new_texts=why, shuffled=shuffled)
