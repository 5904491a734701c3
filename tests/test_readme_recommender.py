"""The commands of README's section "A recommender out of a run", one after the other, as they are typed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import PROJECT

SECONDS = 120


def commands() -> dict[str, list[list[str]]]:
    """The words of each command of the section, by the command's name, in order."""
    (section,) = re.findall(r"^## A recommender out of a run$(.*?)^## ", (PROJECT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    lines = [shlex.split(line, comments=True) for line in re.findall(r"^    recframe (.+)$", section, re.MULTILINE)]
    return {words[0]: [one for one in lines if one[0] == words[0]] for words in lines}


@contextmanager
def running(words: list[str], folder: Path, said: Path) -> Iterator[subprocess.Popen]:
    """A command in a process of its own, which is asked to stop at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RECFRAME_", "WANDB_", "HYDRA_"))}
    with said.open("w") as stream:
        command = [sys.executable, "-m", "recframe", *words]
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT, env=environment)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)


def until(holds: Callable[[], bool], process: subprocess.Popen, said: Path) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_a_run_becomes_a_recommender_that_learns_on(warm_recframe, tmp_path):
    typed = commands()
    assert list(typed) == ["export", "recommend", "serve", "feedback", "learn"]
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4"]
    small += [
        "dataset.num_items=40",
        "dataset.num_users=60",
        "environment.num_users=16",
        "trainer.env_steps=64",
        "agent.learning_starts=32",
    ]
    warm_recframe("train", *small, "hydra.run.dir=runs/demo", check=True)
    (export,) = typed["export"]
    assert "40 items" in warm_recframe(*[word.replace("runs/...", "runs/demo") for word in export], check=True).stdout
    described, known = (warm_recframe(*words, check=True).stdout for words in typed["recommend"])
    assert len(re.findall(r"^ *\d+  item-", described, re.MULTILINE)) == 5
    assert len(re.findall(r"^ *\d+  item-", known, re.MULTILINE)) == 3
    assert "would" in known or "because" in known
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (serve,), (learn,), (feedback,) = typed["serve"], typed["learn"], typed["feedback"]
    url, served, learned = f"http://127.0.0.1:{port}", tmp_path / "served.txt", tmp_path / "learned.txt"
    # the port of the document may be taken
    with running([*serve, f"port={port}"], tmp_path, served) as server:
        until(lambda: answers(url), server, served)
        assert "<html" in httpx.get(url).text
        for person in range(6):
            shown = httpx.post(f"{url}/recommend", json={"user": f"p{person}", "k": 3}).json()
            told = {"recommendation": shown["recommendation"], "item": shown["items"][0]["id"], "signals": {"click": 1}}
            assert httpx.post(f"{url}/feedback", json=told).json()["stored"]
        warm_recframe(*feedback, check=True)
        header, *rows = (tmp_path / "log.csv").read_text().splitlines()
        assert {"propensity", "click"} < set(header.split(","))
        assert len(rows) == 18
        with running(learn, tmp_path, learned) as learner:
            until(lambda: "waiting for 200 new feedback" in learned.read_text(), learner, learned)
        assert learner.returncode == 128 + signal.SIGTERM
        assert (tmp_path / "policy").is_symlink()
        # with so little feedback a round fails or cannot tell, and says so
        once = warm_recframe("learn", *learn[1:3], "--rounds", "1", "--feedback", "5", "--settle", "0", check=True)
        assert re.search(r"round 1: (failed|kept aside) \(\w+ stays\): .+", once.stdout), once.stdout
        (record,) = [json.loads(line) for line in (tmp_path / "policy.rounds" / "rounds.jsonl").read_text().splitlines()]
        print(record["outcome"], record["reason"])
        # the server goes on with what it has
        assert httpx.post(f"{url}/recommend", json={}).json()["version"] == record["old"]
    assert server.returncode == 0
    assert "Traceback" not in served.read_text() + learned.read_text()
