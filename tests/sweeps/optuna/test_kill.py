"""Searches whose processes are killed, and searches of several processes."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("searching_process.py")
LIMIT = 300


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> None:
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, told


def trials(folder: Path) -> list[dict]:
    return json.loads((folder / "sweep" / "study.json").read_text())["trials"]


def results(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("sweep/*/result.json"))


@pytest.mark.evidence
def test_a_search_that_is_killed_at_random_moments_has_the_trials_of_an_undisturbed_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    begin = time.monotonic()
    end(start(whole))
    duration = time.monotonic() - begin
    moments = random.Random(0)
    kills = 0
    for _ in range(10):
        with start(killed) as process:
            try:
                process.wait(moments.uniform(0.3, 0.8) * duration)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
    end(start(killed))
    assert kills
    assert trials(killed) == trials(whole)
    assert results(killed) == results(whole)
    assert len(results(whole)) == 16
    print(f"{kills} kills")


@pytest.mark.evidence
def test_several_processes_share_the_trials_of_one_search(tmp_path):
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        end(process)
    found = trials(tmp_path)
    assert [(trial["trial"], trial["state"]) for trial in found] == [(number, "finished") for number in range(8)]
    assert len(results(tmp_path)) == 16
