"""push and pull: an artefact to and from folders and a hub, with its checksums, and nothing else of a repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import recframe
from recframe.cli.main import app
from recframe.errors import UserError
from recframe.serving import pull, push
from tests.serving.fake_hub import TOKEN, FakeHub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with FakeHub() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        # read when the client is imported; the hub's own storage speaks another protocol, which is asked for by the hub
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield started


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def refused(message, act, *arguments, **named):
    with pytest.raises(UserError, match=message) as caught:
        act(*arguments, **named)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_folder_and_back(artefact, tmp_path):
    push(artefact, tmp_path / "shelf")
    moved = pull((tmp_path / "shelf").as_uri(), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(artefact)
    assert moved.revision is None
    assert moved.size == sum(map(len, contents(artefact).values()))
    assert recframe.load_policy(tmp_path / "back").recommend(["3"]) == recframe.load_policy(artefact).recommend(["3"])


def test_a_repository_and_back(artefact, tmp_path, hub):
    there = push(artefact, "hf://reader/films")
    assert hub.private == {"reader/films": True}
    assert set(hub.large.values()) == {content for name, content in contents(artefact).items() if name.endswith(("parquet", "safetensors"))}
    back = pull("hf://reader/films", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(artefact)
    assert back.revision == there.revision == next(iter(hub.commits["reader/films"]))
    assert {token for _, path, token in hub.requests if "/large/" not in path and "harness" not in path} == {TOKEN}
    assert list(tmp_path.iterdir()) == [tmp_path / "back"]


def test_a_revision_and_only_what_artefact_json_lists(artefact, tmp_path, hub):
    first = hub.commit("reader/films", {**contents(artefact), "train.py": b"import os", "more/data.parquet": b"1", ".gitattributes": b"*"})
    hub.commit("reader/films", {"README.md": b"gone"})
    assert pull(f"hf://reader/films@{first}", tmp_path / "back").revision == first
    assert contents(tmp_path / "back") == contents(artefact)
    assert sorted(set(hub.fetched())) == sorted(contents(artefact))


@pytest.mark.parametrize("place", ["folder", "hub"])
def test_a_damaged_artefact_is_refused_and_leaves_nothing(artefact, tmp_path, hub, place):
    name = "policy.safetensors"
    damaged = contents(artefact)[name].replace(b"\x00", b"\x01", 1)
    source = shutil.copytree(artefact, tmp_path / "copy")
    (source / name).write_bytes(damaged)
    hub.commit("reader/films", {**contents(artefact), name: damaged})
    source = "hf://reader/films" if place == "hub" else str(source)
    refused(f"{source}/{name}: is damaged or was changed", pull, source, tmp_path / "back")
    refused(f"{name}: is damaged or was changed", push, tmp_path / "copy", "hf://reader/other")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert "reader/other" not in hub.commits


def test_what_a_repository_may_not_make_of_a_folder(artefact, tmp_path, hub):
    manifest = json.loads((artefact / "artefact.json").read_text())
    for name in ("../secret.json", "more/data.parquet", ".netrc", "artefact.json"):
        listing = json.dumps({**manifest, "files": {**manifest["files"], name: "0"}}).encode()
        hub.commit("reader/films", {**contents(artefact), "artefact.json": listing, "../secret.json": b"", ".netrc": b""})
        refused(r"hf://reader/films/artefact.json: '.*' is no file of an artefact", pull, "hf://reader/films", tmp_path / "back")
    missing = {name: content for name, content in contents(artefact).items() if name != "items.parquet"}
    hub.commit("reader/films", missing)
    refused(r"hf://reader/films: has no items.parquet, which its artefact.json lists", pull, "hf://reader/films", tmp_path / "back")
    hub.commit("reader/films", {**contents(artefact), "artefact.json": b" " * (2**24 + 1)})
    refused("has 16,777,217 bytes; recframe did not write it", pull, "hf://reader/films", tmp_path / "back")
    hub.commit("reader/films", {"README.md": b"a model of another library"})
    refused(r"hf://reader/films: has no artefact.json, so it is not an artefact", pull, "hf://reader/films", tmp_path / "back")
    assert set(hub.fetched()) == {"artefact.json"}
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_what_is_in_the_way(artefact, tmp_path, hub, monkeypatch):
    hub.commit("reader/films", contents(artefact))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    refused("full: exists already; choose another folder", pull, "hf://reader/films", tmp_path / "full")
    refused("full: exists already; choose another folder", push, artefact, tmp_path / "full")
    refused(r"hf://reader/films@old: the repository has no such revision at 127.0.0.1", pull, "hf://reader/films@old", tmp_path / "a")
    refused("has no such repository, or does not show it", pull, "hf://reader/songs", tmp_path / "a")
    refused("no such revision", push, artefact, "hf://reader/films@branch")
    refused(r"hf://reader: is no repository; a folder, file:///folder and hf://owner/name", pull, "hf://reader", tmp_path / "a")
    refused(r"s3://films: artefacts are not kept there", pull, "s3://key:secret@films", tmp_path / "a")
    refused("has no artefact.json, so it is not an artefact", pull, str(tmp_path / "nowhere"), tmp_path / "a")
    hub.refuse_uploads = True
    refused(r"127.0.0.1 refuses it \(403\); give HF_TOKEN the token of somebody who may write there", push, artefact, "hf://reader/films")
    hub.refuse_uploads, hub.ignored = False, ("items.parquet",)
    refused(r"hf://reader/new: items.parquet did not arrive", push, artefact, "hf://reader/new")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 5, 5))
        refused(r"a: has no room: the artefact has 0.\d MB, 0.0 MB are free", pull, "hf://reader/films", tmp_path / "a")
    hub.private["reader/films"] = True
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    refused("127.0.0.1 has no such repository, or does not show it", pull, "hf://reader/films", tmp_path / "a")
    refused(r"127.0.0.1 refuses it \(401\)|does not show it", push, artefact, "hf://reader/films")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused("127.0.0.1 could not be reached, or broke off", pull, "hf://reader/films", tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_the_commands(artefact, tmp_path, hub):
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "recframe", "push", str(artefact), "hf://reader/films", "--public"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    (revision,) = hub.commits["reader/films"]
    version = json.loads((artefact / "artefact.json").read_text())["version"]
    assert done.stdout.startswith(f"hf://reader/films: version {version}, revision {revision}, 20 items, ")
    assert hub.private == {"reader/films": False}
    pulled = CliRunner().invoke(app, ["pull", f"hf://reader/films@{revision}", str(tmp_path / "back")])
    assert f"version {version}, revision {revision}, 20 items" in pulled.output
    assert contents(tmp_path / "back") == contents(artefact)
    assert CliRunner().invoke(app, ["pull", "hf://reader/films@0000000", str(tmp_path / "no")]).exit_code == 2
