"""Searches whose processes are killed, and searches of several processes."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("searching_process.py")
LIMIT = 300


def start(folder: Path, seeds: str = "0,1") -> subprocess.Popen:
    command = [sys.executable, str(SCRIPT), str(folder), seeds]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> None:
    _, told = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, told


def trials(folder: Path) -> list[dict]:
    return json.loads((folder / "sweep" / "study.json").read_text())["trials"]


def results(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("sweep/*/result.json"))


@pytest.mark.evidence
@pytest.mark.timeout(3600)
def test_a_search_that_is_killed_at_ten_random_moments_has_the_trials_of_an_undisturbed_one(tmp_path):
    whole = tmp_path / "whole"
    begin = time.monotonic()
    end(start(whole))
    duration = time.monotonic() - begin
    assert len(results(whole)) == 16
    moments = random.Random(0)
    kills = 0
    while kills < 10:
        killed = tmp_path / str(kills)
        with start(killed) as process:
            try:
                process.wait(moments.uniform(0, duration))
            except subprocess.TimeoutExpired:
                process.kill()
        if process.returncode == 0:
            shutil.rmtree(killed)  # it had ended before that moment
            continue
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in killed.glob("sweep/*/result.json")}
        # which fails if a job that has finished is run again
        end(start(killed))
        assert trials(killed) == trials(whole)
        assert results(killed) == results(whole)
        assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
        print(f"killed with {len(before)} of 16 jobs finished")
        kills += 1


@pytest.mark.evidence
@pytest.mark.timeout(3600)
def test_a_search_that_is_killed_while_it_gets_more_seeds_has_all_of_them_in_the_end(tmp_path):
    whole = tmp_path / "whole"
    end(start(whole))
    shutil.copytree(whole, tmp_path / "before")
    begin = time.monotonic()
    end(start(whole, "0,1,2"))
    duration = time.monotonic() - begin
    moments = random.Random(1)
    for kills in range(6):
        killed = tmp_path / str(kills)
        shutil.copytree(tmp_path / "before", killed)
        with start(killed, "0,1,2") as process:
            try:
                process.wait(moments.uniform(duration / 2, duration))
            except subprocess.TimeoutExpired:
                process.kill()
        done = len(results(killed))
        # which fails if a job that has finished is run again
        end(start(killed, "0,1,2"))
        assert trials(killed) == trials(whole)
        assert results(killed) == results(whole)
        print(f"killed with {done} of 24 jobs finished")


@pytest.mark.evidence
def test_several_processes_share_the_trials_of_one_search(tmp_path):
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        end(process)
    found = trials(tmp_path)
    assert [(trial["trial"], trial["state"]) for trial in found] == [(number, "finished") for number in range(8)]
    assert len(results(tmp_path)) == 16
