"""Archives that try to write elsewhere, to link, to fill the disk, or are damaged."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recframe.public_data import FetchError, Unpacking
from recframe.public_data.unpacking import safe_path, unpack

FILES = {"set/ratings.csv": b"1,2,3\n", "set/movies.csv": b"1,Alien\n", "set/more/genome.csv": b"x" * 1000}
ALL = Unpacking(("*",), largest=10_000)


def zip_of(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, files: Mapping[str, bytes], *special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return path


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def refused(archive: Path, folder: Path, words: str, unpacking: Unpacking = ALL) -> str:
    """The message about an archive of which nothing is unpacked, inside or outside the folder."""
    before = everything_below(folder.parent)
    with pytest.raises(FetchError, match=words) as caught:
        unpack(archive, folder, unpacking)
    assert everything_below(folder.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar.gz"])
def test_files_are_unpacked_with_their_sizes(make, tmp_path, place):
    assert unpack(make(tmp_path / "archive", FILES), place, ALL) == {name: len(content) for name, content in FILES.items()}
    assert everything_below(place) == FILES


@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar.gz"])
def test_only_the_chosen_members_are_unpacked_below_the_chosen_folder(make, tmp_path, place):
    unpacking = Unpacking(("*/ratings.csv", "*/more/*"), largest=10_000, into="train")
    unpack(make(tmp_path / "archive", FILES), place, unpacking)
    assert set(everything_below(place)) == {"train/set/ratings.csv", "train/set/more/genome.csv"}


def test_an_archive_in_the_archive_is_unpacked_too(tmp_path, place):
    inner = tar_of(tmp_path / "inner.tar", {"review.json": b"{}", "user.json": b"{}"}).read_bytes()
    archive = zip_of(tmp_path / "outer.zip", {"JSON/set.tar": inner, "__MACOSX/._x": b"", "JSON/terms.pdf": b""})
    assert unpack(archive, place, Unpacking(("*review.json",), largest=10_000, inner="set.tar")) == {"review.json": 2}
    assert set(everything_below(place)) == {"review.json"}


@pytest.mark.parametrize(
    "name", ["../outside", "set/../../outside", "/tmp/outside", "..\\outside", "C:\\outside", "C:/outside", "\\outside"]
)
@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar.gz"])
def test_a_path_that_leads_out_of_the_folder_is_refused(make, name, tmp_path, place):
    refused(make(tmp_path / "archive", FILES | {name: b"evil"}), place, "leads out of the folder")


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "/", "\\", "c:", "..."]), min_size=1, max_size=6), st.sampled_from("/\\"))
def test_no_accepted_path_leaves_the_folder(parts, separator):
    try:
        path = safe_path(separator.join(parts), "archive")
    except FetchError:
        return
    folder = Path("/folder")
    assert folder in [(folder / path), *(folder / path).parents]
    assert ".." not in (folder / path).parts


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path, place):
    info = tarfile.TarInfo("set/link")
    info.type = kind
    info.linkname = "/etc/passwd"
    refused(tar_of(tmp_path / "archive", FILES, info), place, "a link or a device")


def test_a_link_in_a_zip_is_refused(tmp_path, place):
    archive = zip_of(tmp_path / "archive", FILES)
    with zipfile.ZipFile(archive, "a") as opened:
        info = zipfile.ZipInfo("set/link")
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, "/etc/passwd")
    refused(archive, place, "a link or a device")


@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar.gz"])
def test_a_bomb_stops_at_the_bound(make, tmp_path, place):
    archive = make(tmp_path / "archive", {"zeros": bytes(5_000_000)})
    assert archive.stat().st_size < 10_000
    refused(archive, place, "unpacks to more than 10,000 bytes")


def test_a_zip_whose_index_lies_about_a_size_stops_at_the_bound(tmp_path, place):
    archive = zip_of(tmp_path / "archive", {"zeros": bytes(5_000_000)})
    lying = archive.read_bytes().replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    archive.write_bytes(lying)
    refused(archive, place, "more than 10,000|cannot be unpacked|lacks")


def test_the_bound_holds_for_all_files_together(tmp_path, place):
    refused(zip_of(tmp_path / "archive", {f"{number}": bytes(900) for number in range(20)}), place, "more than 10,000 bytes")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path, place):
    archive = zip_of(tmp_path / "archive", {"a": b"1"})
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("a", b"2")
    refused(archive, place, "has a twice")


@pytest.mark.parametrize("make", [zip_of, tar_of], ids=["zip", "tar.gz"])
@pytest.mark.parametrize("keep", [10, 100, -40])
def test_a_truncated_archive_is_refused(make, keep, tmp_path, place):
    archive = make(tmp_path / "archive", FILES)
    archive.write_bytes(archive.read_bytes()[:keep])
    refused(archive, place, "cannot be unpacked|lacks")


def test_a_damaged_member_is_refused(tmp_path, place):
    archive = zip_of(tmp_path / "archive", {"a": bytes(range(256))}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[100] ^= 1
    archive.write_bytes(bytes(content))
    refused(archive, place, "cannot be unpacked")


def test_what_is_no_archive_is_refused(tmp_path, place):
    archive = tmp_path / "archive"
    archive.write_text("<html>please log in</html>")
    refused(archive, place, "cannot be unpacked")


def test_an_archive_without_the_expected_members_is_refused(tmp_path, place):
    refused(zip_of(tmp_path / "archive", FILES), place, r"lacks \*/tags.csv", Unpacking(("*/ratings.csv", "*/tags.csv"), largest=10_000))


def test_names_with_control_characters_are_shown_without_them(tmp_path, place):
    message = refused(zip_of(tmp_path / "archive", {"../\x1b[31mred\u202e": b""}), place, "leads out")
    assert message.isprintable()


def test_a_full_disk_leaves_nothing(full_disk, tmp_path):
    archive = zip_of(tmp_path / "archive", {"a": b"1", "zeros": bytes(5_000_000)})
    with pytest.raises(FetchError, match="the disk is full while archive is unpacked"):
        unpack(archive, full_disk, Unpacking(("*",), largest=10_000_000))
    assert list(full_disk.iterdir()) == []
