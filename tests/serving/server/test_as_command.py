"""recframe serve as a process: how it is started, killed, and asked to stop."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from recframe.feedback import RecordedFeedback
from recframe.feedback.store import FeedbackStore


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def process(artefact: Path, folder: Path, *settings: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server in a process of its own, which answers, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "recframe", "serve", str(artefact), f"port={port}", *settings]
    with (folder / "log.txt").open("ab") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 120
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/health").status_code == 200:
                        break
                assert server.poll() is None, (folder / "log.txt").read_text()
                assert time.monotonic() < until
                time.sleep(0.05)
            yield server, url
        finally:
            server.kill()


class Clients:
    """People who ask and give feedback in threads until the server is gone; what was acknowledged is in `acknowledged`."""

    def __init__(self, url: str, number: int) -> None:
        self.url = url
        self.acknowledged: list[tuple[str, str, str]] = []
        self.tried: set[str] = set()
        self.failed: list[str] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._act, args=(person,)) for person in range(number)]
        for thread in self.threads:
            thread.start()

    def _act(self, person: int) -> None:
        with contextlib.suppress(httpx.TransportError), httpx.Client(base_url=self.url, timeout=30) as client:
            number = 0
            while not self.ended.is_set():
                answer = client.post("/recommend", json={"session": f"s{person}", "k": 3, "exclude": []})
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                    continue
                item = answer.json()["items"][number % 3]["id"]
                recommendation, key = answer.json()["recommendation"], f"{person}-{number}-{id(self)}"
                number += 1
                self.tried.add(key)
                told = {"recommendation": recommendation, "item": item, "signals": {"rating": 1}, "key": key}
                if client.post("/feedback", json=told).status_code == 200:
                    self.acknowledged.append((recommendation, item, key))

    def join(self) -> None:
        for thread in self.threads:
            thread.join()


def check_nothing_lost(url: str, clients: Clients, before: Clients | None = None) -> None:
    """Every acknowledged feedback is in the store once, and nothing that nobody sent."""
    with FeedbackStore.open(url) as store:
        for recommendation, item, key in clients.acknowledged:
            assert store.record_feedback(RecordedFeedback(recommendation, item, {"rating": 1.0}, 0.0, key)) is False
        tried = len(clients.tried) + (len(before.tried) if before else 0)
        assert len(clients.acknowledged) <= store.feedback_since(1) <= tried
        frame = store.log_frame()
        assert frame.select("recommendation", "position").is_duplicated().sum() == 0


def kill_under_load(artefact: Path, folder: Path, url: str, acknowledged: int, people: int = 4) -> Clients:
    with process(artefact, folder, f"feedback.url={url}") as (server, address):
        clients = Clients(address, people)
        while len(clients.acknowledged) < acknowledged:
            assert server.poll() is None
            time.sleep(0.01)
        server.kill()
        clients.join()
    assert clients.failed == []
    check_nothing_lost(url, clients)
    return clients


def test_no_acknowledged_feedback_is_lost_or_doubled_by_kill_9(artefact, tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    clients = kill_under_load(artefact, tmp_path, url, 30)
    # the next one goes on with the same store: who was not answered tries again, and nothing counts twice
    with process(artefact, tmp_path, f"feedback.url={url}") as (server, address):
        recommendation, item, key = clients.acknowledged[-1]
        told = {"recommendation": recommendation, "item": item, "signals": {"rating": 1}, "key": key}
        assert httpx.post(f"{address}/feedback", json=told).json()["duplicate"]
        # asked to stop, it finishes what it is doing
        others = Clients(address, 3)
        while len(others.acknowledged) < 10:
            time.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        others.join()
        assert server.wait(30) == 0
        assert others.failed == []
    check_nothing_lost(url, others, before=clients)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.mark.evidence
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_evidence_kill_9_twenty_times(artefact, tmp_path, kind, request):
    for repetition in range(20):
        folder = tmp_path / str(repetition)
        folder.mkdir()
        own = f"sqlite:///{folder}/feedback.db" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
        told = len(kill_under_load(artefact, folder, own, 200, people=8).acknowledged)
        print(f"{kind}, kill {repetition + 1}: {told} acknowledged, none lost or doubled")


def test_mistakes_of_settings_are_told_at_once(warm_recframe, artefact):
    done = warm_recframe("serve", str(artefact), "prot=80", "limits.k=none", "share.b=2", "api_key_variable=NOT_SET", "feedback.url=file")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert lines[0] == "recframe: 7 mistakes"
    told = "\n".join(lines[1:])
    assert "prot: there is no such setting. Did you mean 'port'?" in told
    assert "limits.k: " in told
    assert "share.b: there is no other.b; add other.b=FOLDER" in told
    assert "share.b: 2.0 is not allowed" in told
    assert "api_key_variable: no environment variable of the given name is set" in told
    assert "feedback.url: " in told
