"""Downloads from a server that breaks off, changes its mind, redirects, lies or keeps silent."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from recframe.public_data import Checksum, FetchError, PublicFile
from recframe.public_data.download import Patience, download
from recframe.public_data.requests_to_host import Session

CONTENT = bytes(range(256)) * 1500  # several blocks
PATIENCE = Patience(connect=2, read=2, attempts=3, pause=0)


def checksum(content: bytes, algorithm: str = "sha256") -> Checksum:
    return Checksum(algorithm, hashlib.new(algorithm, content).hexdigest(), "published")


class Case(NamedTuple):
    server: object
    folder: Path

    def file(self, **settings: object) -> PublicFile:
        return PublicFile("set.bin", self.server.address("set.bin"), **settings)

    def get(self, file: PublicFile | None = None, expected: str | None = None, patience: Patience = PATIENCE) -> str:
        with Session() as session:
            return download(file or self.file(), self.target, session, lambda *_: None, patience, expected)

    @property
    def target(self) -> Path:
        return self.folder / "set.bin"

    @property
    def part(self) -> Path:
        return self.folder / "set.bin.part"

    def refused(self, words: str, file: PublicFile | None = None, **others: object) -> str:
        """The message of a download that fails; it is one line and leaves nothing under the file's name."""
        with pytest.raises(FetchError, match=words) as caught:
            self.get(file, **others)
        message = str(caught.value)
        assert "\n" not in message
        assert not self.target.exists()
        return message


@pytest.fixture
def case(server, tmp_path: Path) -> Case:
    server.files["set.bin"] = CONTENT
    return Case(server, tmp_path)


def test_a_file_arrives_whole_with_its_sha256_and_nothing_beside_it(case):
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()
    assert case.target.read_bytes() == CONTENT
    assert [path.name for path in case.folder.iterdir()] == ["set.bin"]


def test_progress_is_told_with_the_size_of_the_file(case):
    told = []
    with Session() as session:
        download(case.file(), case.target, session, lambda *values: told.append(values), PATIENCE)
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [arrived for arrived, _ in told] == sorted(arrived for arrived, _ in told)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_known_checksum_is_compared(case, algorithm):
    case.get(case.file(checksums=(checksum(CONTENT, algorithm),)))
    case.target.unlink()
    case.refused(f"set.bin: its {algorithm.upper()} is [0-9a-f]+, not", case.file(checksums=(checksum(b"other", algorithm),)))
    assert not case.part.exists()


def test_a_connection_that_breaks_is_taken_up_where_it_broke(case):
    case.server.cut = [200_000, 100_000]
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()
    ranges = [headers.get("Range") for headers in case.server.asked]
    starts = [int(re.search(r"\d+", one)[0]) for one in ranges if one]
    assert ranges[0] is None
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)
    assert {headers.get("If-Range") for headers in case.server.asked[1:]} == {'"1"'}


def test_a_later_command_goes_on_where_an_earlier_one_stopped(case):
    case.server.cut = [200_000, 0, 0]
    message = case.refused("3 times; repeat the command later")
    arrived = case.part.stat().st_size
    assert 0 < arrived <= 200_000
    assert f"{arrived:,} bytes" in message
    case.server.asked.clear()
    case.get()
    assert [headers.get("Range") for headers in case.server.asked] == [f"bytes={arrived}-"]


def test_a_server_without_ranges_sends_everything_again(case):
    case.server.cut = [200_000]
    case.server.ranges = False
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_changed_in_between_is_not_glued_to_its_old_beginning(case):
    case.server.cut = [200_000, 0, 0]
    case.refused("repeat the command")
    case.server.files["set.bin"] = new = CONTENT[::-1]
    case.server.etag = '"2"'
    assert case.get() == hashlib.sha256(new).hexdigest()


@pytest.mark.parametrize(("known", "starts"), [(False, [None, None]), (True, [None, "bytes="])], ids=["no checksum", "checksum"])
def test_without_a_validator_only_a_file_with_a_known_checksum_goes_on(case, known, starts):
    case.server.etag = None
    case.server.cut = [200_000]
    case.get(case.file(checksums=(checksum(CONTENT),) if known else ()))
    assert [headers.get("Range") and headers["Range"][:6] for headers in case.server.asked] == starts


def test_the_rest_of_another_file_is_noticed_by_the_checksum_and_removed(case):
    case.server.etag = None
    case.server.cut = [200_000, 0, 0]
    file = case.file(checksums=(checksum(CONTENT),))
    case.refused("repeat the command", file)
    case.server.files["set.bin"] = CONTENT[::-1]
    case.refused("damaged on the way or changed", file)
    assert not case.part.exists()
    case.server.files["set.bin"] = CONTENT
    case.get(file)


def test_a_beginning_that_is_the_whole_file_needs_no_more_than_its_check(case):
    case.part.write_bytes(CONTENT)
    (case.folder / "set.bin.part.json").write_text(f'{{"address": "{case.server.address("set.bin")}", "validator": "\\"1\\""}}')
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"address": "http://elsewhere", "validator": "1"}'])
def test_a_beginning_of_unknown_origin_is_not_used(case, note):
    case.part.write_bytes(b"something else")
    (case.folder / "set.bin.part.json").write_text(note)
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()


def test_a_truncated_file_is_an_error(case):
    case.server.cut = [1000] * 10
    case.server.ranges = False
    case.refused("broke .* 3 times|ended after .* 3 times")


def test_a_truncated_file_without_a_length_is_noticed_by_its_known_size(case):
    case.server.say_length = case.server.ranges = False
    case.server.cut = [1000] * 10
    case.refused("ended after 1,000 of 384,000 bytes", case.file(size=len(CONTENT)))


def test_a_file_of_another_size_than_the_known_one_is_refused_before_it_is_received(case):
    case.refused("has 384,000 bytes, but 384,001 are known", case.file(size=len(CONTENT) + 1))
    assert not case.part.exists()


def test_what_is_larger_than_the_known_size_is_given_up(case):
    case.server.say_length, case.server.endless = False, True
    case.refused("more than 384,000 bytes arrive", case.file(size=len(CONTENT)))
    assert not case.part.exists()


def test_what_is_larger_than_the_bound_is_given_up_where_the_size_is_not_known(case):
    case.server.say_length, case.server.endless = False, True
    case.refused("more than 500,000 bytes arrive", case.file(largest=500_000))
    assert not case.part.exists()


def test_a_silently_changed_file_is_refused(case):
    before = case.get()
    case.target.unlink()
    case.server.files["set.bin"] = CONTENT[::-1]
    case.refused("its publisher changed it without a word", expected=before)
    assert not case.part.exists()


def test_a_missing_file_is_said_with_its_status(case):
    case.server.files.clear()
    case.refused(r"/set.bin: there is no such file any more \(HTTP 404\)")
    assert len(case.server.asked) == 1


@pytest.mark.parametrize(("status", "words"), [(403, "does not give it to everybody"), (418, "answers HTTP 418")])
def test_a_refusal_is_said_with_its_status(case, status, words):
    case.server.status["set.bin"] = [status]
    case.refused(words)


def test_a_busy_server_is_asked_again(case):
    case.server.status["set.bin"] = [503, 429]
    case.get()
    assert len(case.server.asked) == 3


def test_a_server_that_stays_busy_is_given_up(case):
    case.server.status["set.bin"] = [503] * 9
    case.refused(r"is busy or out of order \(HTTP 503\), 3 times")


def test_a_server_that_keeps_silent_is_given_up(case):
    case.server.silent = threading.Event()
    case.refused("sent nothing for 0.2 s, 1 times", patience=Patience(connect=0.2, read=0.2, attempts=1, pause=0))


def test_a_host_that_is_not_there_is_said_in_a_line(case):
    case.refused("connection to 127.0.0.1:9 cannot be made", PublicFile("set.bin", "http://127.0.0.1:9/set.bin"))


def test_a_web_page_instead_of_the_file_is_refused(case):
    case.server.content_type = "text/html; charset=utf-8"
    case.refused("sends a web page instead of set.bin")
    assert not case.part.exists()


def test_a_redirect_on_the_same_host_is_followed(case):
    case.server.redirects["old.bin"] = "/set.bin"
    case.get(PublicFile("set.bin", case.server.address("old.bin")))
    assert case.target.read_bytes() == CONTENT


def test_a_redirect_to_another_host_is_refused_and_that_host_not_asked(case, other_server):
    case.server.redirects["set.bin"] = other_server.address("set.bin")
    case.refused(f"redirects to another host, 127.0.0.1:{other_server.port}: not followed")
    assert other_server.asked == []


def test_a_redirect_to_a_host_that_the_set_lists_is_followed(case, other_server):
    other_server.files["set.bin"] = CONTENT
    case.server.redirects["set.bin"] = other_server.address("set.bin")
    case.get(case.file(hosts=(f"127.0.0.1:{other_server.port}",)))
    assert case.target.read_bytes() == CONTENT


@pytest.mark.parametrize("location", ["file:///etc/passwd", "//\x1b[31mred", "http://127.0.0.1@evil.example/x", ""])
def test_a_strange_redirect_is_refused_in_plain_text(case, location):
    case.server.redirects["set.bin"] = location
    message = case.refused("not followed|redirects")
    assert message.isprintable()


def test_a_redirect_without_end_is_refused(case):
    case.server.redirects["set.bin"] = "/set.bin"
    case.refused("redirects more than 5 times")


def test_a_full_disk_is_said_before_anything_arrives(case, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1000))
    case.refused("needs 384,000 more bytes, and the disk has 1,000 left")


def test_a_disk_that_fills_up_is_said_and_the_download_goes_on_later(case, monkeypatch):
    arrive = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def tell(self):
            return self.file.tell()

        def write(self, block):
            if self.file.tell() + len(block) > 200_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(block)

    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "open", lambda self, mode="r", *a, **k: Full(arrive(self, mode)) if mode == "ab" else arrive(self, mode, *a, **k)
        )
        message = case.refused("the disk is full after 196,608 bytes of set.bin; make room and repeat")
    assert str(case.folder) in message
    assert case.get() == hashlib.sha256(CONTENT).hexdigest()


def test_a_really_full_disk_ends_in_one_line(case, full_disk):
    (full_disk / "other").write_bytes(b"x" * 900_000)
    Case(case.server, full_disk).refused("needs 384,000 more bytes|the disk is full")
