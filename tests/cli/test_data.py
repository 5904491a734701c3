"""`recframe data`: what is listed, the terms that are accepted first, the next command, and the profile of a dataset."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recframe import public_data
from recframe.cli.main import app
from recframe.config import DESCRIBE, TRAIN, find_mistakes
from recframe.public_data import Licence, PublicFile, PublicSet, public_sets

RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{u},{m},{1 + (u + m) % 5},{10**9 + 7 * u + m}\n" for u in range(8) for m in range(6)
)
MOVIES = "movieId,title,genres\n" + "".join(f"{m},Film number {m} (199{m}),Drama|War\n" for m in range(6))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `recframe data` in an empty folder; the result has exit_code and output."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["data", *words])


@pytest.fixture
def films(monkeypatch) -> PublicSet:
    """A set of two files on a local server, which `recframe data fetch films` finds."""
    files = {"/ratings.csv": RATINGS.encode(), "/movies.csv": MOVIES.encode()}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            content = files.get(self.path, b"")
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        described = PublicSet(
            name="ml-20m",
            title="Films",
            about="six films",
            page="http://page",
            cite="Nobody, 2020",
            licence=Licence("Test licence", ("Research only.", "No copies."), "http://licence"),
            files=tuple(PublicFile(name, f"{address}/{name}") for name in ("movies.csv", "ratings.csv")),
            settings={"path": ""},
        )
        monkeypatch.setattr(public_data, "find_set", lambda *_: described)
        yield described
        server.shutdown()
        thread.join()


def test_the_list_has_every_set_with_its_size_and_licence(run):
    shown = run("list")
    assert shown.exit_code == 0
    for name, one in public_sets().items():
        (line,) = re.findall(rf"^{name} .*", shown.output, re.MULTILINE)
        assert one.licence.name.split()[0] in line
    assert re.search(r"^ml-1m +5\.92 MB ", shown.output, re.MULTILINE)
    assert re.search(r"^yelp +by hand ", shown.output, re.MULTILINE)


def test_the_list_as_json_has_addresses_and_the_sources_of_checksums(run):
    listed = {one["name"]: one for one in json.loads(run("list", "--json").output)}
    assert list(listed) == list(public_sets())
    (file,) = listed["ml-1m"]["files"]
    assert file["address"] == "https://files.grouplens.org/datasets/movielens/ml-1m.zip"
    assert {known["algorithm"]: known["source"] for known in file["checksums"]}["md5"] == "published by GroupLens"


def test_fetch_shows_the_terms_downloads_and_prints_commands_that_run(run, films):
    done = run("fetch", "films", "--accept-licence")
    assert done.exit_code == 0, done.output
    for words in ("Test licence", "Research only.", "No copies.", "http://licence", "cite     Nobody, 2020"):
        assert words in done.output
    assert "no checksum is published" in done.output
    describe, train = (line.split()[1:] for line in done.output.splitlines() if line.startswith("  recframe "))
    assert describe == ["data", "describe", "dataset=ml_20m", "dataset.path=data/ml-20m"]
    assert train == ["train", "experiment=next_item", "dataset=ml_20m", "dataset.path=data/ml-20m"]
    assert find_mistakes(describe[2:], app=DESCRIBE) == []
    assert find_mistakes(train[1:], app=TRAIN) == []


def test_a_folder_with_blanks_is_quoted_for_the_shell_and_for_hydra(run, films, tmp_path):
    done = run("fetch", "films", "--accept-licence", "--folder", "my $data, here")
    describe = next(line for line in done.output.splitlines() if "describe" in line)
    words = shlex.split(describe)[3:]
    assert find_mistakes(words, app=DESCRIBE) == []
    assert run("describe", *words).exit_code == 0


def test_without_a_terminal_the_terms_need_the_option(run, films):
    refused = run("fetch", "films")
    assert refused.exit_code == 2
    assert "read the terms of ml-20m at http://licence and accept them with --accept-licence" in refused.output
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("ml-1m", b"n\n", "The terms were not accepted: nothing was downloaded."),
        ("ml-1m", b"\n", "The terms were not accepted: nothing was downloaded."),
        ("yelp", b"y\n", "Put Yelp-JSON.zip into data/yelp and repeat this command"),
    ],
)
def test_at_a_terminal_the_terms_are_asked_for(name, answer, words, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "recframe", "data", "fetch", name]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=os.environ | {"COLUMNS": "200"})
    os.close(theirs)
    shown = b""
    while b"Do you accept these terms?" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, answer)
    while True:
        try:
            shown += os.read(ours, 1024)
        except OSError:  # the other end is closed
            break
    assert process.wait() == 1
    assert words in shown.decode().replace("\r\n", "\n")
    assert b"Traceback" not in shown
    assert (tmp_path / "data").exists() is (name == "yelp")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["films"], "there is no public data set 'films'"),
        (["ML_1"], "Did you mean 'ml-1m'?"),
        (["ml-1m", "--part", "Books"], "ml-1m has no parts: leave out --part"),
        (["amazon-reviews-2023", "--part", "Book"], "has no such category. Did you mean 'Books'?"),
        (["goodreads", "--part", "../x"], "has no such genre"),
    ],
)
def test_a_wrong_name_or_part_is_answered_in_a_line(run, words, message):
    refused = run("fetch", *words, "--accept-licence")
    assert refused.exit_code == 2
    assert message in refused.output
    assert refused.output.count("\n") == 1
    assert not Path("data").exists()


def test_a_failed_download_ends_in_a_line(run, films, monkeypatch):
    gone = PublicFile("gone.csv", films.files[0].address.replace("movies", "gone"))
    monkeypatch.setattr(public_data, "find_set", lambda *_: PublicSet(**(vars(films) | {"files": (gone,)})))
    failed = run("fetch", "films", "--accept-licence")
    assert failed.exit_code == 1
    (line,) = [line for line in failed.output.splitlines() if line.startswith("recframe:")]
    assert "there is no such file any more (HTTP 404). See http://page" in line


def test_an_interrupted_download_says_how_to_go_on(run, films, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(public_data, "fetch", interrupted)
    stopped = run("fetch", "films", "--accept-licence")
    assert stopped.exit_code == 130
    assert "recframe: stopped; the same command goes on from there" in stopped.output


def films_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "movies.csv").write_text(MOVIES)
    (folder / "ratings.csv").write_text(RATINGS)
    return folder


def test_describe_prints_the_figures_and_writes_the_same_as_html(run, tmp_path):
    folder = films_in(tmp_path / "films")
    shown = run("describe", "dataset=movielens_format", f"dataset.path={folder}")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"^items +6 *$", shown.output, re.MULTILINE)
    assert re.search(r"^interactions +48 *$", shown.output, re.MULTILINE)
    page = (tmp_path / "data_profile.html").read_text()
    assert "<dd>48</dd>" in page
    assert "in place of the earlier profile" not in shown.output
    assert "in place of the earlier profile" in run("describe", "dataset=movielens_format", f"dataset.path={folder}").output


def test_describe_of_a_preset_reads_its_files(run, tmp_path):
    assert run("describe", "dataset=ml_20m", f"dataset.path={films_in(tmp_path / 'films')}", "--html", "mine.html").exit_code == 0
    assert (tmp_path / "mine.html").exists()


def test_describe_does_not_overwrite_another_file_and_says_it_before_it_loads(run, tmp_path):
    (tmp_path / "data_profile.html").write_text("mine")
    folder = films_in(tmp_path / "films")
    (folder / "ratings.csv").write_text("broken")
    refused = run("describe", "dataset=movielens_format", f"dataset.path={folder}")
    assert refused.exit_code == 2
    assert "data_profile.html: is there already, and no profile of recframe data describe; choose another name" in refused.output
    assert (tmp_path / "data_profile.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset=movielens_formt"], "Did you mean 'movielens_format'?"),
        (["dataset=movielens_format"], "dataset.path is required"),
        (["dataset=movielens_format", "dataset.path=nowhere"], "'nowhere' does not exist"),
        (["agent=dqn"], "recframe data describe has no such group; it has: dataset"),
        (["dataset=synthetic", "dataset.num_item=3"], "Did you mean 'dataset.num_items'?"),
    ],
)
def test_a_mistake_in_the_settings_is_answered_in_a_line(run, words, message):
    refused = run("describe", *words)
    assert refused.exit_code == 2
    assert message in refused.output
    assert "Traceback" not in refused.output


def test_data_that_cannot_be_used_are_answered_in_a_line(run, tmp_path):
    folder = films_in(tmp_path / "films")
    (folder / "ratings.csv").write_text("user,item\n1,2\n")
    refused = run("describe", "dataset=movielens_format", f"dataset.path={folder}")
    assert refused.exit_code == 2
    assert "ratings.csv:1: the header" in refused.output
    assert not (tmp_path / "data_profile.html").exists()


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["fetch", "--help"], ["describe", "--help"], ["fetch", "yelp", "--accept-licence"]]
)
def test_neither_torch_nor_polars_is_imported_before_data_are_described(words, tmp_path):
    code = f"import sys; sys.argv = ['recframe', 'data', *{words!r}]\nfrom recframe.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass\nprint(sorted({'torch', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
