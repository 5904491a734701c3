"""`recframe push` and `recframe pull`: an artefact to and from a folder or a repository of the Hugging Face hub."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from recframe.serving.artefact.card import CARD
from recframe.serving.artefact.hub_errors import hub_errors
from recframe.serving.artefact.manifest import MANIFEST, ArtefactError, Manifest, read_manifest, unchecked_manifest
from recframe.serving.artefact.new_folder import appearing_folder
from recframe.serving.artefact.places import Repository, place_of

MOST_OF_MANIFEST = 16 * 2**20
"""The largest artefact.json that is fetched, in bytes."""
REVISION = re.compile(r"[0-9a-f]{7,64}")


class MovedArtefact(NamedTuple):
    """An artefact that was pushed or pulled.

    manifest: what it is.   revision: the commit of the repository, or None: the place is a folder.   size: in bytes.
    """

    manifest: Manifest
    revision: str | None
    size: int


def push(folder: str | Path, to: str | Path, *, public: bool = False) -> MovedArtefact:
    """Copy an artefact to a new folder, or commit it to a repository of the hub, which is made if there is none.

    The hub is that of the environment variable `HF_ENDPOINT` (by default huggingface.co), and is asked with the token of `HF_TOKEN`, or of
    `hf auth login`.

    Parameters
    ----------
    folder: of an artefact; its files are checked first.   to: a folder, `file:///folder` or `hf://owner/name[@branch]`.
    public: whether a repository that is made now can be read by everybody; one that exists stays as it is.

    Raises
    ------
    recframe.errors.UserError: the artefact is damaged, the folder exists, or the hub refuses.
    """
    folder, place = Path(folder).expanduser(), place_of(to)
    manifest = read_manifest(folder)
    names = [*manifest.files, MANIFEST, *([CARD] if (folder / CARD).is_file() else [])]
    if isinstance(place, Repository):
        return MovedArtefact(manifest, _commit(folder, names, manifest, place, public), _size(folder, names))
    return _copy(folder, place)


def pull(source: str | Path, folder: str | Path) -> MovedArtefact:
    """Fetch an artefact into a new folder, which appears when all its files are there and have the checksums of its artefact.json.

    Only the files that artefact.json lists are fetched, and README.md. None is executed.

    Parameters
    ----------
    source: a folder, `file:///folder` or `hf://owner/name[@revision]`; hub and token are as for `push`.
    folder: must not exist, or be empty.

    Raises
    ------
    recframe.errors.UserError: there is no artefact, it is damaged, it has no room on the disk, or the folder exists.
    """
    place = place_of(source)
    return _fetch(place, Path(folder).expanduser()) if isinstance(place, Repository) else _copy(place, Path(folder).expanduser())


def _copy(source: Path, folder: Path) -> MovedArtefact:
    manifest = unchecked_manifest(source)
    names = [*manifest.files, MANIFEST, *([CARD] if (source / CARD).is_file() else [])]
    with appearing_folder(folder) as temporary:
        for name in names:
            try:
                shutil.copyfile(source / name, temporary / name)
            except OSError as error:
                if error.filename != str(source / name):
                    raise
                raise ArtefactError(f"{source / name}: cannot be read ({error.strerror}); copy the whole artefact") from None
        return MovedArtefact(_checked(temporary, source), None, _size(temporary, names))


def _fetch(place: Repository, folder: Path) -> MovedArtefact:
    api = _api()
    with appearing_folder(folder) as temporary, hub_errors(place, api.endpoint, api.token):
        info = api.model_info(place.name, revision=place.revision, files_metadata=True)
        sizes = {file.rfilename: file.size for file in info.siblings or ()}
        if not REVISION.fullmatch(revision := str(info.sha)):
            raise ArtefactError(f"{place}: the hub names no commit; there is nothing to pull")
        if MANIFEST not in sizes:
            raise ArtefactError(f"{place}: has no {MANIFEST}, so it is not an artefact; recframe push makes one")
        if (sizes[MANIFEST] or 0) > MOST_OF_MANIFEST:
            raise ArtefactError(f"{place}: its {MANIFEST} has {sizes[MANIFEST]:,} bytes; recframe did not write it")
        names = [MANIFEST]
        _download(api, place, revision, MANIFEST, temporary, sizes)
        manifest = _of_place(lambda: unchecked_manifest(temporary), temporary, place)
        if missing := [name for name in manifest.files if name not in sizes]:
            raise ArtefactError(f"{place}: has no {missing[0]}, which its {MANIFEST} lists; push the artefact again")
        names += [*manifest.files, *([CARD] if CARD in sizes else [])]
        total, free = sum(sizes[name] or 0 for name in names), shutil.disk_usage(temporary).free
        if total > free:
            raise ArtefactError(f"{folder}: has no room: the artefact has {total / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free")
        for name in names[1:]:
            _download(api, place, revision, name, temporary, sizes)
        # where the hub's client keeps what it knows of the downloads
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        return MovedArtefact(_checked(temporary, place), revision, _size(temporary, names))


def _download(api: Any, place: Repository, revision: str, name: str, folder: Path, sizes: dict[str, int | None]) -> None:
    api.hf_hub_download(place.name, name, revision=revision, local_dir=folder)
    if sizes[name] is not None and (folder / name).stat().st_size != sizes[name]:
        raise ArtefactError(f"{place}: {name} has another size than the hub says; pull it again")


def _commit(folder: Path, names: list[str], manifest: Manifest, place: Repository, public: bool) -> str:
    from huggingface_hub import CommitOperationAdd

    api = _api()
    with hub_errors(place, api.endpoint, api.token):
        api.create_repo(place.name, private=not public, exist_ok=True)
        files = [CommitOperationAdd(name, folder / name) for name in names]
        with warnings.catch_warnings():
            # that Parquet belongs into a repository of data
            warnings.filterwarnings("ignore", category=UserWarning, module="huggingface_hub")
            made = api.create_commit(place.name, files, commit_message=f"recframe artefact {manifest.version}", revision=place.revision)
        there = {file.rfilename for file in api.model_info(place.name, revision=made.oid).siblings or ()}
        if missing := [name for name in names if name not in there]:
            raise ArtefactError(f"{place}: {missing[0]} did not arrive; a .gitignore of the repository may keep it out")
        return str(made.oid)


def _api() -> Any:
    from huggingface_hub import HfApi, get_token

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=get_token(), library_name="recframe")


def _checked(temporary: Path, place: Path | Repository) -> Manifest:
    return _of_place(lambda: read_manifest(temporary), temporary, place)


def _of_place(read: Any, temporary: Path, place: Path | Repository) -> Manifest:
    """The manifest that `read` gives; its errors name the place, not the temporary folder."""
    try:
        manifest: Manifest = read()
    except ArtefactError as error:
        raise ArtefactError(str(error).replace(str(temporary), str(place))) from None
    return manifest


def _size(folder: Path, names: list[str]) -> int:
    return sum((folder / name).stat().st_size for name in names)
