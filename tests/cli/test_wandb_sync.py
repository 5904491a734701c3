"""`recframe wandb-sync` sends the runs below a folder by W&B's own command, each once, and leaves out those that are going on."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.tracking import RunFolder


@pytest.fixture
def sweep(tmp_path):
    """Two runs of a sweep with an offline run each; the first was resumed, and has an earlier one aside."""
    for job in ("0", "1"):
        for place in (f"offline-run-2026-{job}", *(["superseded/offline-run-2025-0"] if job == "0" else [])):
            found = tmp_path / "sweep" / job / "wandb" / place
            found.mkdir(parents=True)
            (found / f"run-{job}.wandb").write_bytes(b"")
    return tmp_path / "sweep"


@pytest.fixture
def called(monkeypatch):
    """The arguments of W&B's command; its exit status is 3."""
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command) or subprocess.CompletedProcess(command, 3))
    return calls


def sync(*arguments):
    return CliRunner().invoke(app, ["wandb-sync", *map(str, arguments)])


def test_every_run_below_a_folder_is_sent_in_one_call(sweep, called):
    assert sync(sweep).exit_code == 3
    assert called == [[sys.executable, "-m", "wandb", "sync", *(str(sweep / job / "wandb" / f"offline-run-2026-{job}") for job in "01")]]
    assert sync(sweep / "1", "--dry-run").exit_code == 3
    assert called[1][3:] == ["sync", "--dry-run", str(sweep / "1" / "wandb" / "offline-run-2026-1")]


def test_what_was_sent_and_what_is_going_on_is_left_out(sweep, called):
    (sweep / "0" / "wandb" / "offline-run-2026-0" / "run-0.wandb.synced").touch()
    with RunFolder.create(sweep / "1"):
        done = sync(sweep)
        assert done.exit_code == 0
        assert "1 of 2 runs were sent before; --again sends them again" in done.output
        assert f"{sweep}/1: is going on, and is left out" in done.output
        assert called == []
        assert sync(sweep, "--again").exit_code == 3
    assert called[0][3:] == ["sync", "--include-synced", str(sweep / "0" / "wandb" / "offline-run-2026-0")]


def test_a_folder_without_offline_runs_is_a_mistake_in_one_line(tmp_path, called):
    for folder, message in ((tmp_path, "no offline run of W&B is in it"), (tmp_path / "gone", "there is no such folder")):
        done = sync(folder)
        assert done.exit_code == 2
        assert done.output.startswith(f"recframe: {folder}: {message}")
    assert called == []


def test_wandb_knows_the_command(sweep):
    command = [sys.executable, "-m", "recframe.cli", "wandb-sync", "--dry-run", str(sweep)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Would sync 2 run(s)" in done.stdout + done.stderr
