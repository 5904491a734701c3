"""The description of a public data set: its files, their addresses and checksums, its terms, and the settings that read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

GIB = 1 << 30


@dataclass(frozen=True)
class Licence:
    """name: the licence, or "none stated".   terms: what it asks for, a line each, in short.   address: where it is in full."""

    name: str
    terms: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Checksum:
    """A known checksum of a file, in hexadecimal, and who gives it."""

    algorithm: Literal["md5", "sha256"]
    value: str
    source: str


@dataclass(frozen=True)
class Unpacking:
    """How an archive is unpacked.

    members: patterns (`fnmatch`) of the files that are taken out of it.   largest: bytes that they may have together.
    into: folder below the set's.   inner: an archive among the members that is unpacked, too.
    """

    members: tuple[str, ...]
    largest: int
    into: str = ""
    inner: str | None = None


@dataclass(frozen=True)
class PublicFile:
    """A file of a set.

    name: its name in the set's folder.
    address: where it is; None if its publisher gives it out behind a form or a login.
    size: its bytes, if they are known.     largest: bytes at which a download is given up, if its size is not known.
    checksums: those that are known; all are compared.
    hosts: other hosts to which its host may redirect, as "name" or "name:port".
    unpacking: how it is unpacked; None if it is read as it is.
    """

    name: str
    address: str | None
    size: int | None = None
    checksums: tuple[Checksum, ...] = ()
    largest: int = 64 * GIB
    hosts: tuple[str, ...] = ()
    unpacking: Unpacking | None = None


@dataclass(frozen=True)
class SetFile:
    """The part of a set that is fetched. word: what it is called ("category").   choices: all of them.   usual: the default."""

    word: str
    choices: tuple[str, ...]
    usual: str


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    name: as `recframe data fetch` has it; with "_" for "-", the Hydra preset of its dataset.
    about: its size, as its publisher gives it.
    page: the page that describes it.
    settings: the settings of its preset that name files: the key below `dataset`, and the path below the set's folder.
    train: what else `recframe train` needs for it.
    files: with a `part`, "{part}" in names, addresses and settings stands for the part.
    get: how to get the files that have no address.
    convert: makes the files that `settings` names from those that were fetched; it is called with the set's folder, and returns what it
        left out, or an empty string.
    converted: the files that it makes.
    apart: the part, if its files have names of their own, and so a folder of their own.
    """

    name: str
    title: str
    about: str
    page: str
    cite: str
    licence: Licence
    files: tuple[PublicFile, ...]
    settings: Mapping[str, str]
    train: str = "experiment=next_item"
    part: SetFile | None = None
    get: str = ""
    convert: Callable[[Path], str] | None = field(default=None, compare=False)
    converted: tuple[str, ...] = ()
    apart: str = ""

    @property
    def preset(self) -> str:
        """The name of the Hydra preset, as in `dataset=ml_1m`."""
        return self.name.replace("-", "_")

    @property
    def size(self) -> int | None:
        """The bytes of all files, or None if that of one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def of_part(self, part: str) -> PublicSet:
        """The set with the names, addresses and settings of one part."""

        def named(text: str) -> str:
            return text.replace("{part}", part)

        def of(file: PublicFile) -> PublicFile:
            unpacking = file.unpacking and replace(file.unpacking, members=tuple(map(named, file.unpacking.members)))
            address = None if file.address is None else named(file.address)
            return replace(file, name=named(file.name), address=address, unpacking=unpacking)

        files = tuple(map(of, self.files))
        # parts that are in files of their own are kept apart
        apart = part if [file.name for file in files] != [file.name for file in self.files] else ""
        return replace(self, files=files, settings={key: named(path) for key, path in self.settings.items()}, apart=apart)

    @property
    def label(self) -> str:
        """The name of what a folder holds."""
        return f"{self.name} {self.apart}" if self.apart else self.name

    @property
    def usual_folder(self) -> Path:
        """Where it is fetched to by default."""
        return Path("data", self.name, self.apart)
