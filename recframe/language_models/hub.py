"""Finding a model on the Hugging Face hub: its local cache first, then a download."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

from recframe.errors import ModelError

log = logging.getLogger(__name__)

HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def hub_folder(name: str, revision: str | None, trust_remote_code: bool, key: str) -> Path:
    """A snapshot of a hub model: the local one if there is one, so that upstream changes do not change runs.

    Raises
    ------
    ModelError: where the model was looked for, and how to get it without a network.
    """
    import huggingface_hub
    from huggingface_hub import constants

    patterns = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", *(["*.py"] if trust_remote_code else [])]
    # exports for other runtimes, often larger than the model
    exports = ["onnx/*", "openvino/*", "coreml/*", "original/*"]

    def snapshot(revision: str | None, local: bool) -> Path:
        found = huggingface_hub.snapshot_download(
            name, revision=revision, local_files_only=local, allow_patterns=patterns, ignore_patterns=exports
        )
        return Path(str(found))

    folder, usable = None, False
    try:
        folder = snapshot(revision, local=True)
        usable = _has_weights(folder)
        if usable and _modules_are_known(name, folder):
            return folder
    except (OSError, ValueError) as error:
        # newer clients report an incomplete snapshot and its folder
        if partial := getattr(error, "snapshot_path", None):
            folder = Path(partial)
            usable = _has_weights(folder)
    try:
        # a usable snapshot is completed at its revision, not replaced by the present state of its branch
        folder = snapshot(folder.name if folder is not None and usable else revision, local=False)
        usable = _has_weights(folder)
        _learn_modules(name, folder)
    except Exception as error:  # the client's transport has errors of its own, such as for a broken proxy
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if folder is None or not usable:
            at = f" (revision {revision})" if revision else ""
            raise ModelError(
                f"{key}={name}: there is no such folder, the local hub cache {constants.HF_HUB_CACHE} does not have it completely, "
                f"and it could not be downloaded from {constants.ENDPOINT}{at}: {reason} Without a network: run `hf download {name} "
                f"--local-dir FOLDER` on a machine with one, copy the folder here and set {key} to its path"
            ) from error
        log.warning(
            "%s=%s: %s may lack files that change its vectors, such as the pooling config; the hub could not be reached: %s",
            key,
            name,
            folder,
            reason,
        )
    return folder


def _has_weights(folder: Path) -> bool:
    """Whether there are weights, including every file that an index of weights names: an interrupted download lacks some."""
    named = {
        index.parent / file
        for index in folder.rglob("*.safetensors.index.json")
        for file in json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()
    }
    return any(folder.rglob("*.safetensors")) and all(file.is_file() for file in named)


def _modules_are_known(name: str, folder: Path) -> bool:
    """Whether modules.json is in the local snapshot, or known not to exist.

    A cache filled by another library may lack it and the folders that it names, which loading the model would not report.
    """
    from huggingface_hub import try_to_load_from_cache

    return try_to_load_from_cache(name, "modules.json", revision=folder.name) is not None


def _learn_modules(name: str, folder: Path) -> None:
    """Ask the hub for modules.json of this snapshot. The local cache remembers the answer, even if the file does not exist."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        huggingface_hub.hf_hub_download(name, "modules.json", revision=folder.name)
    except LocalEntryNotFoundError:
        # the hub was not reached
        raise
    except EntryNotFoundError:
        pass
