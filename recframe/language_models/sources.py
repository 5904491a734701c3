"""Finding a language model's files: in a package, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recframe.errors import ModelError
from recframe.language_models.hub import HUB_NAME, hub_folder
from recframe.language_models.model_folder import KEY, sibling
from recframe.language_models.packaged import PACKAGED, PACKAGED_PREFIX, packaged_folder


@dataclass(frozen=True)
class ModelSource:
    """A model's files: their folder, published hashes of some of them, and the remedy if those differ.

    online: whether the model's own code may download more code; only if the user named a hub model and trusts its code.
    """

    folder: Path
    sha256: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    online: bool = False


def find_model(model: str, revision: str | None, trust_remote_code: bool, key: str = KEY) -> ModelSource:
    """The files of the model that a config names.

    Parameters
    ----------
    model: `packaged:NAME`, a folder, or a hub name.   key: the option that names it, for messages; its section also has `revision`.

    Raises
    ------
    ModelError: what was looked for, where, and how to get it.
    """
    packaged = model.startswith(PACKAGED_PREFIX)
    folder = Path(model).expanduser()
    # the empty path is the current folder, which is never meant
    in_folder = not packaged and bool(model) and folder.is_dir()
    if revision is not None and (packaged or in_folder):
        raise ModelError(f"{sibling(key, 'revision')}={revision} applies to hub models only, and {key}={model} is not one; leave it out")
    if packaged:
        return ModelSource(*packaged_folder(model.removeprefix(PACKAGED_PREFIX), key))
    if in_folder:
        return ModelSource(folder.resolve())
    if not HUB_NAME.fullmatch(model):
        start = "" if folder.is_absolute() else f"; relative paths start at {Path.cwd()}"
        raise ModelError(
            f"{key}={model}: there is no such folder, and it is neither a hub name (organisation/name) "
            f"nor {PACKAGED_PREFIX}{next(iter(PACKAGED))}{start}"
        )
    return ModelSource(hub_folder(model, revision, trust_remote_code, key), online=trust_remote_code)
