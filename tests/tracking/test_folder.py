"""A run's folder belongs to one run, and to one process at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from recframe.tracking import RunFolder, RunFolderError, atomic_write, write_result

HOLD = """
import sys
from recframe.tracking import RunFolder
folder = getattr(RunFolder, sys.argv[1])(sys.argv[2])
folder.write_config({"seed": 1}, [])
print("held", flush=True)
sys.stdin.read()
"""


def hold(how, path):
    """Another process that locks `path` until its standard input is closed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, how, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def run(tmp_path):
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(OmegaConf.create({"seed": 7, "agent": {"seed": "${seed}"}}), ["seed=7", "agent=dqn", "a='${b'"])
    return tmp_path / "run"


@pytest.fixture
def started(run):
    (run / "checkpoints").mkdir()
    return run


def test_the_config_is_written_resolved_and_the_overrides_unchanged(run):
    assert (run / "config.yaml").read_text() == "seed: 7\nagent:\n  seed: 7\n"
    with RunFolder.open(run) as folder:
        assert folder.read_config() == {"seed": 7, "agent": {"seed": 7}}
        assert folder.read_overrides() == ["seed=7", "agent=dqn", "a='${b'"]


def test_the_files_have_the_documented_paths(run):
    with RunFolder.open(run) as folder:
        assert folder.config_path == run / "config.yaml"
        assert folder.overrides_path == run / "overrides.yaml"
        assert folder.result_path == run / "result.json"
        assert folder.log_path == run / "run.log"
        assert folder.checkpoints == run / "checkpoints"
        assert not folder.is_finished
        write_result(run, objective=0, seed=7, env_steps=1, seconds=1, policies={})
        assert folder.is_finished


def test_creating_a_run_in_another_runs_folder_is_refused(started):
    with pytest.raises(RunFolderError, match="already holds a run") as caught:
        RunFolder.create(started)
    assert f"resume={started}" in str(caught.value)
    assert "hydra.run.dir=" in str(caught.value)
    RunFolder.open(started).release()  # the refusal kept no lock


@pytest.mark.parametrize("trace", ["checkpoints", "metrics.csv", "result.json"])
def test_a_folder_is_free_again_only_if_its_run_never_started(run, trace):
    for name in ("data.json", "failure.json", trace):
        (run / name).touch()
    with pytest.raises(RunFolderError, match="already holds a run"):
        RunFolder.create(run)
    (run / trace).unlink()
    with RunFolder.create(run) as folder:
        assert not folder.config_path.exists()
        assert not (run / "data.json").exists()  # the next run may read other data
        assert not (run / "failure.json").exists()
        assert folder.read_overrides() == []


def test_a_run_can_be_created_in_a_folder_that_contains_only_a_log(tmp_path):
    (tmp_path / "run.log").write_text("composing")
    with RunFolder.create(tmp_path) as folder:
        assert folder.path == tmp_path


def test_a_file_at_the_path_is_an_error(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunFolderError, match="cannot be created as a run's folder"):
        RunFolder.create(tmp_path / "run")


def test_opening_a_folder_without_a_run_says_why_and_suggests_one(run, tmp_path):
    with pytest.raises(RunFolderError, match="there is no such folder"):
        RunFolder.open(tmp_path / "gone")
    with pytest.raises(RunFolderError, match="is a file, not a run's folder; did you mean") as caught:
        RunFolder.open(run / "config.yaml")
    assert str(caught.value).endswith(f"{run}?")
    with pytest.raises(RunFolderError, match=r"has no config\.yaml.*did you mean") as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value).endswith(f"{run}?")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match=r"has no config\.yaml, so it is not a run's folder$"):
        RunFolder.open(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    with RunFolder.create(tmp_path / "second") as second:
        second.write_config({}, [])
    with pytest.raises(RunFolderError, match="contains 2 of them"):
        RunFolder.open(tmp_path)


def test_the_error_for_a_broken_config_names_the_file(run):
    (run / "config.yaml").write_text("a: [1")
    with RunFolder.open(run) as folder, pytest.raises(RunFolderError, match=r"config\.yaml: not a config"):
        folder.read_config()
    (run / "overrides.yaml").write_text("a: 1")
    with RunFolder.open(run) as folder, pytest.raises(RunFolderError, match=r"overrides\.yaml: not a list"):
        folder.read_overrides()


@pytest.mark.parametrize("how", ["create", "open"])
def test_two_processes_cannot_use_one_folder(tmp_path, how):
    path = tmp_path / "run"
    if how == "open":
        with RunFolder.create(path) as folder:
            folder.write_config({}, [])
    holder = hold(how, path)
    try:
        for claim in (RunFolder.create, RunFolder.open):
            with pytest.raises(RunFolderError, match="is being written by another process"):
                claim(path)
    finally:
        holder.kill()
        holder.communicate()
    with RunFolder.open(path) as folder:  # the folder of a killed run can be used again
        assert folder.read_config() == {"seed": 1}


def test_a_folder_is_also_locked_within_a_process(run):
    with RunFolder.open(run), pytest.raises(RunFolderError, match="is being written by another process"):
        RunFolder.open(run)
    folder = RunFolder.open(run)
    folder.release()
    folder.release()
    RunFolder.open(run).release()


def test_locking_a_folder_removes_only_the_temporary_files_of_a_killed_process(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # killed before the rename and the clean-up
        patched.setattr(os, "replace", killed)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        for path in (tmp_path / "result.json", tmp_path / "checkpoints" / "last.ckpt"):
            with pytest.raises(KeyboardInterrupt):
                atomic_write(path, "half")
    assert len(list(tmp_path.rglob("*.tmp"))) == 2
    (tmp_path / ".mine.tmp").write_text("mine")
    (tmp_path / ".model.0123abcd.tmp").mkdir()
    RunFolder.create(tmp_path).release()
    assert {path.name for path in tmp_path.rglob("*.tmp")} == {".mine.tmp", ".model.0123abcd.tmp"}


def test_a_run_that_cannot_be_locked_can_be_read_but_not_continued(run, monkeypatch):
    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(run / "run.lock"))

    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    with RunFolder.open_to_read(run) as folder:
        assert folder.read_config()["seed"] == 7
    with pytest.raises(RunFolderError, match="choose a folder that you can write to"):
        RunFolder.open(run)


def test_a_run_that_is_being_written_cannot_be_read(run):
    with RunFolder.open(run), pytest.raises(RunFolderError, match="is being written by another process"):
        RunFolder.open_to_read(run)
