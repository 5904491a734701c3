"""A set fetched from a local server: accepted terms, the record, what is not done twice, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from recframe.public_data import Checksum, FetchError, Licence, PublicFile, PublicSet, SetFile, Unpacking, fetch
from recframe.public_data.download import Patience

LICENCE = Licence("Test licence", ("Research only.",), "http://licence")


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"films/{name}.csv", text)
    return buffer.getvalue()


ARCHIVE = zipped(ratings="1,2,3\n", movies="2,Alien\n")


class Place:
    """A set on a server, and the folder that it is fetched into."""

    def __init__(self, server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.lines: list[str] = []
        server.files["films.zip"] = ARCHIVE

    def described(self, checksums: bool = False, address: bool = True, **settings: object) -> PublicSet:
        known = (Checksum("sha256", hashlib.sha256(ARCHIVE).hexdigest(), "published"),) if checksums else ()
        file = PublicFile(
            "films.zip",
            self.server.address("films.zip") if address else None,
            checksums=known,
            unpacking=Unpacking(("films/*.csv",), largest=1000),
        )
        defaults = {
            "name": "films",
            "title": "Films",
            "about": "two files",
            "page": "http://page",
            "cite": "Nobody, 2020",
            "licence": LICENCE,
            "files": (file,),
            "settings": {"path": "films"},
        }
        return PublicSet(**(defaults | settings))

    def fetch(self, described: PublicSet | None = None, accepts: bool = True):
        @contextmanager
        def no_bar(_):
            yield lambda *_: None

        self.lines = []
        return fetch(
            described or self.described(),
            self.folder,
            accept=lambda: accepts,
            report=self.lines.append,
            progress_of=no_bar,
            patience=Patience(connect=2, read=2, attempts=1, pause=0),
        )

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "fetched.json").read_text())


@pytest.fixture
def place(server, tmp_path: Path) -> Place:
    return Place(server, tmp_path / "data" / "films")


def test_a_set_is_downloaded_unpacked_and_recorded(place):
    fetched = place.fetch()
    assert fetched.settings == {"path": place.folder / "films"}
    assert (place.folder / "films" / "movies.csv").read_text() == "2,Alien\n"
    assert place.record["accepted"] == "Test licence"
    assert place.record["files"]["films.zip"]["sha256"] == hashlib.sha256(ARCHIVE).hexdigest()
    assert place.record["files"]["films.zip"]["address"] == place.server.address("films.zip")


@pytest.mark.parametrize(("checksums", "words"), [(True, "SHA256 as known"), (False, "no checksum is published")])
def test_it_is_said_whether_a_checksum_was_compared(place, checksums, words):
    place.fetch(place.described(checksums=checksums))
    assert any(words in line for line in place.lines)


def test_without_accepted_terms_nothing_is_asked_for(place):
    assert place.fetch(accepts=False) is None
    assert place.server.asked == []
    assert not place.folder.exists()


def test_accepted_terms_are_not_asked_for_again_unless_they_change(place):
    place.fetch()
    assert place.fetch(accepts=False) is not None
    other = Licence("Another licence", (), "http://licence")
    assert place.fetch(place.described(licence=other), accepts=False) is None


def test_what_is_there_is_not_downloaded_again(place):
    place.fetch()
    place.server.asked.clear()
    (place.folder / "films.zip").unlink()  # the unpacked files are enough
    place.fetch()
    assert place.server.asked == []
    assert "films.zip: is there already" in place.lines


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("cut")], ids=["removed", "changed"])
def test_an_unpacked_file_that_is_missing_or_has_another_size_is_unpacked_again(place, harm):
    place.fetch()
    place.server.asked.clear()
    harm(place.folder / "films" / "movies.csv")
    place.fetch()
    assert (place.folder / "films" / "movies.csv").read_text() == "2,Alien\n"
    assert place.server.asked == []


def test_a_file_that_its_publisher_changed_is_refused_later(place):
    place.fetch()
    for path in (place.folder / "films" / "movies.csv", place.folder / "films.zip"):
        path.unlink()
    place.server.files["films.zip"] = zipped(ratings="1,2,4\n", movies="2,Aliens\n")
    with pytest.raises(FetchError, match=r"changed it without a word.*See http://page"):
        place.fetch()
    assert (place.folder / "films" / "ratings.csv").read_text() == "1,2,3\n"
    assert not (place.folder / "films.zip").exists()


def test_the_same_file_is_taken_again(place):
    place.fetch()
    for path in (place.folder / "films" / "movies.csv", place.folder / "films.zip"):
        path.unlink()
    place.fetch()
    assert "films.zip: the same as before" in place.lines


def test_an_archive_is_not_unpacked_before_its_checksum_is_right(place):
    place.server.files["films.zip"] = zipped(ratings="evil", movies="evil")
    with pytest.raises(FetchError, match="its SHA256 is"):
        place.fetch(place.described(checksums=True))
    assert not (place.folder / "films").exists()


def test_a_file_that_lies_in_the_folder_is_verified_and_taken(place):
    place.folder.mkdir(parents=True)
    (place.folder / "films.zip").write_bytes(ARCHIVE)
    place.fetch(place.described(checksums=True))
    assert place.server.asked == []
    assert (place.folder / "films" / "movies.csv").exists()


def test_a_wrong_file_that_lies_in_the_folder_is_refused_and_stays(place):
    place.folder.mkdir(parents=True)
    (place.folder / "films.zip").write_bytes(zipped(ratings="", movies=""))
    with pytest.raises(FetchError, match="its SHA256 is"):
        place.fetch(place.described(checksums=True))
    assert (place.folder / "films.zip").exists()


def test_a_set_without_an_address_says_how_to_get_it_and_then_takes_it(place):
    described = place.described(address=False, get="Fill in the form on that page.")
    with pytest.raises(FetchError, match=r"Fill in the form on that page. Put films.zip into .*films and repeat"):
        place.fetch(described)
    (place.folder / "films.zip").write_bytes(ARCHIVE)
    assert place.fetch(described) is not None
    assert place.server.asked == []


def test_a_folder_with_another_set_is_refused(place):
    place.fetch()
    with pytest.raises(FetchError, match="holds 'films'; choose another folder for books"):
        place.fetch(place.described(name="books"))


def test_two_processes_do_not_fetch_into_one_folder(place):
    place.folder.mkdir(parents=True)
    with FileLock(place.folder / ".fetch.lock"), pytest.raises(FetchError, match="another process is fetching into it"):
        place.fetch()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"set": 1, "files": {}}', '{"set": "films", "files": []}', "\x00"])
def test_a_record_that_is_none_is_refused(place, text):
    place.folder.mkdir(parents=True)
    (place.folder / "fetched.json").write_text(text)
    with pytest.raises(FetchError, match="is not a record of recframe data fetch"):
        place.fetch()


def test_a_set_is_converted_once_and_again_when_its_files_change(place):
    calls = []

    def convert(folder: Path) -> str:
        calls.append(folder)
        (folder / "items.csv").write_text((folder / "films" / "movies.csv").read_text())
        return "1 row is left out"

    described = place.described(convert=convert, converted=("items.csv",), settings={"items": "items.csv"})
    place.fetch(described)
    assert "converted to items.csv: 1 row is left out" in place.lines
    place.fetch(described)
    assert len(calls) == 1
    (place.folder / "items.csv").unlink()
    place.fetch(described)
    assert len(calls) == 2


def test_a_conversion_that_fails_leaves_the_set_to_be_converted(place):
    def fails(folder: Path) -> str:
        raise FetchError("films: of another layout")

    with pytest.raises(FetchError, match="another layout"):
        place.fetch(place.described(convert=fails, converted=("items.csv",)))
    assert place.record.get("converted") is None


def test_another_part_of_an_archive_is_unpacked_from_the_same_file(place):
    file = PublicFile("films.zip", place.server.address("films.zip"), unpacking=Unpacking(("films/{part}.csv",), largest=1000))
    described = place.described(
        files=(file,), settings={"path": "films/{part}.csv"}, part=SetFile("table", ("ratings", "movies"), "movies")
    )
    place.fetch(described.of_part("movies"))
    place.fetch(described.of_part("ratings"))
    assert len(place.server.asked) == 1
    assert (place.folder / "films" / "ratings.csv").exists()


def test_an_error_of_the_server_names_the_page_of_the_set(place):
    place.server.files.clear()
    with pytest.raises(FetchError, match=r"HTTP 404\). See http://page"):
        place.fetch()
