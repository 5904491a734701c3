"""Files and folders are replaced atomically."""

import json
import os
import re
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import save_file

from recframe.errors import UserError
from recframe.tracking import atomic, atomic_folder, atomic_write
from recframe.tracking.atomic import atomic_path
from recframe.tracking.weights import save_tensors
from recframe.training.checkpoint_file import AtomicCheckpointIO


def test_text_and_bytes_are_written_unchanged(tmp_path):
    atomic_write(tmp_path / "a", "köln\r\n")
    atomic_write(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == "köln\r\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_content_and_leaves_no_temporary_file(tmp_path, monkeypatch, step):
    path = tmp_path / "result.json"
    atomic_write(path, "old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, disk_full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_the_content_is_synced_before_the_rename(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("replace"), replace(a, b)))
    atomic_write(tmp_path / "a", "x")
    assert events[:2] == ["fsync", "replace"]


def test_the_file_has_the_permissions_of_a_plain_write(tmp_path):
    atomic_write(tmp_path / "atomic", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_cannot_be_renamed_is_kept_and_its_path_given(tmp_path):
    path = tmp_path / "model"
    writing = atomic_folder(path)
    temporary = writing.__enter__()
    (temporary / "weights").write_text("hours")
    path.mkdir()
    (path / "other").write_text("mine")
    with pytest.raises(UserError, match=re.escape(f"is complete in {temporary}")):
        writing.__exit__(None, None, None)
    assert (temporary / "weights").read_text() == "hours"
    assert os.listdir(path) == ["other"]


@pytest.mark.parametrize("error", [PermissionError("refused"), FileNotFoundError("a logger removed it")])
def test_a_complete_folder_is_kept_if_syncing_fails(tmp_path, monkeypatch, error):
    def fail(path):
        raise error

    monkeypatch.setattr(atomic, "_sync_file", fail)
    kept = isinstance(error, PermissionError)
    with pytest.raises(UserError, match="is complete in") if kept else nullcontext(), atomic_folder(tmp_path / "model") as temporary:
        (temporary / "weights").write_text("hours")
    assert ((temporary if kept else tmp_path / "model") / "weights").read_text() == "hours"


def test_a_folder_is_removed_if_filling_it_fails(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "model") as temporary:
        (temporary / "missing" / "weights").write_text("half")
    assert os.listdir(tmp_path) == []


def test_a_file_that_a_library_makes_private_gets_the_permissions_of_the_umask(tmp_path):
    umask = os.umask(0o002)
    try:
        with atomic_path(tmp_path / "weights.safetensors") as temporary:
            save_file({"w": torch.zeros(2)}, temporary)
        with atomic_folder(tmp_path / "model") as folder:
            save_file({"w": torch.zeros(2)}, folder / "model.safetensors")
    finally:
        os.umask(umask)
    for path in (tmp_path / "weights.safetensors", tmp_path / "model" / "model.safetensors"):
        assert path.stat().st_mode & 0o777 == 0o664
    assert os.listdir(tmp_path / "model") == ["model.safetensors"]


WRITERS = {
    "torch": lambda path: AtomicCheckpointIO().save_checkpoint({"w": torch.ones(1_000_000)}, path),
    "safetensors": lambda path: save_tensors({"w": torch.ones(1_000_000)}, path),
    "python": lambda path: atomic_write(path, bytes(4_000_000)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_named_in_one_line_and_the_old_file_is_kept(full_disk, writer):
    path = full_disk / "last.ckpt"
    atomic_write(path, "old")
    with pytest.raises(UserError, match=rf"^{path}: cannot be written \(No space left on device\); its old content is kept$") as refused:
        WRITERS[writer](path)
    assert refused.value.exit_code == 1
    assert path.read_text() == "old"
    assert os.listdir(full_disk) == ["last.ckpt"]


def test_an_error_of_the_program_is_not_taken_for_one_of_the_disk(tmp_path):
    mistake = ValueError("a mistake")
    mistake.__context__ = FileNotFoundError(2, "No such file or directory")
    with pytest.raises(ValueError, match="a mistake"), atomic_path(tmp_path / "a"):
        raise mistake
    assert os.listdir(tmp_path) == []


def test_half_of_a_surrogate_pair_is_written_as_an_escape(tmp_path):
    atomic_write(tmp_path / "result.json", '{"title": "caf\ud83c"}')
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {"title": "caf\ud83c"}
