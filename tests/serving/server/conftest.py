"""Servers for the tests, over real HTTP, of one artefact that is made once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

import recframe
from recframe.feedback.store import FeedbackStore
from recframe.server.app import create_app
from recframe.server.config import ServeConfig
from recframe.server.http_server import uvicorn_config
from recframe.server.settings import read_settings
from tests.postgres_server import postgres

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def policy(artefact: Path) -> recframe.LoadedPolicy:
    """The policy of that artefact. No test changes it."""
    return recframe.load_policy(artefact)


@pytest.fixture(scope="session")
def reading_policy(world: Path) -> recframe.LoadedPolicy:
    """A policy that reads profiles, and what people say."""
    return recframe.load_policy(world)


class Served:
    """A running server.

    client: sends requests to it.   url: its address.   service: what is behind it.   connections: those that are open.
    """

    def __init__(self, app: object, port: int, connections: Collection) -> None:
        self.app = app
        self.connections = connections
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=20)
        self.service = app.state.service

    def recommend(self, **asked: object) -> dict:
        answer = self.client.post("/recommend", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def click(self, answer: Mapping, place: int = 0, **more: object) -> dict:
        told = {"recommendation": answer["recommendation"], "item": answer["items"][place]["id"], "signals": {"rating": 5}}
        answer = self.client.post("/feedback", json={**told, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def running(policies: Mapping, store: FeedbackStore, config: ServeConfig, folders: Mapping | None = None) -> Iterator[Served]:
    """A server in a thread, on a free port."""
    app = create_app(policies, store, config, folders)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn_config(app, config))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            served = Served(app, listening.getsockname()[1], server.server_state.connections)
            for _ in range(1000):
                if server.started or not thread.is_alive():
                    break
                thread.join(0.01)
            assert server.started
            with served.client:
                yield served
        finally:
            server.should_exit = True
            thread.join()


Serve = Callable[..., Served]


@pytest.fixture
def serve(policy: recframe.LoadedPolicy, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers: serve("limits.k=5", other=policy, url=..., folders=...), which end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*settings: str, url: str = "", main: object = None, folders: Mapping | None = None, **others: object) -> Served:
            store = stack.enter_context(FeedbackStore.open(url or f"sqlite:///{tmp_path}/feedback.db"))
            known = [f"other.{name}={tmp_path}" for name in others]
            config = read_settings([*known, *settings])
            return stack.enter_context(running({"main": main or policy, **others}, store, config, folders))

        yield start


@pytest.fixture(scope="module")
def server(policy: recframe.LoadedPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the usual settings, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("server")
    with FeedbackStore.open(f"sqlite:///{folder}/feedback.db") as store, running({"main": policy}, store, ServeConfig()) as served:
        yield served
