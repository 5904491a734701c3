"""Keys, limits, slow clients, and what an answer must not tell."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from unittest.mock import MagicMock

import httpx
import pytest
from uvicorn.server import ServerState

from recframe.server.config import ServeConfig
from recframe.server.http_server import uvicorn_config


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("TEST_KEYS", "first, second")
    monkeypatch.setenv("TEST_ADMIN", "admin")
    return ("api_key_variable=TEST_KEYS", "admin_key_variable=TEST_ADMIN")


def test_only_who_has_a_key_is_answered(serve, keys):
    client = serve(*keys).client
    assert client.post("/recommend", json={}).json()["error"].startswith("the API key is missing; send it as")
    wrong = client.get("/items", headers={"X-API-Key": "third"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "the API key is wrong"})
    for header in ({"X-API-Key": "second"}, {"Authorization": "Bearer first"}, {"X-API-Key": "admin"}):
        assert client.post("/recommend", json={}, headers=header).status_code == 200
    for path in ("/", "/health", "/openapi.json"):
        assert client.get(path).status_code == 200
    item = {"items": [{"id": "new", "text": "words"}]}
    assert client.post("/items", json=item, headers={"X-API-Key": "first"}).status_code == 401
    assert client.get("/metrics", headers={"X-API-Key": "first"}).status_code == 200


def test_nobody_adds_items_where_there_is_no_admin_key(server):
    refused = server.client.post("/items", json={"items": [{"id": "new", "text": "words"}]}, headers={"X-API-Key": ""})
    assert refused.status_code == 401
    assert "admin_key_variable" in refused.json()["error"]


def test_a_large_body_is_refused_also_where_its_size_is_not_told(serve):
    client = serve("limits.body=1000").client
    told = client.post("/recommend", content=b"x" * 2000, headers={"Content-Type": "application/json"})
    parts = client.post("/recommend", content=iter([b"x" * 600] * 3), headers={"Content-Type": "application/json"})
    for refused in (told, parts):
        assert (refused.status_code, refused.json()) == (413, {"error": "the body is larger than 1000 bytes (limits.body)"})


def test_slow_clients_are_given_up(serve):
    server = serve("limits.seconds=0.3")
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as headers, socket.create_connection(address, timeout=10) as body:
        headers.sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\n")
        body.sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        assert headers.recv(1000) == b""
        assert body.recv(1000).startswith(b"HTTP/1.1 408")
    assert server.recommend()["items"]


@pytest.fixture
def deaf(serve):
    """Connects clients that ask for very much, and read nothing of it."""
    clients = []

    def connect(server, number: int, requests: int = 300) -> None:
        for _ in range(number):
            client = socket.socket()
            clients.append(client)
            # little of an answer is taken by the client's machine
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(10)
            client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * requests)

    yield connect
    for client in clients:
        client.close()


def resident_bytes() -> int:
    """The memory of this process, in which the server is."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def test_clients_that_do_not_read_stop_nobody_and_take_little_memory(serve, deaf):
    server = serve("limits.connections=12")
    server.recommend()
    length = len(server.client.get("/openapi.json").content)
    before = resident_bytes()
    deaf(server, 10)
    for _ in range(5):
        assert server.recommend()["items"]
    assert len(server.connections) >= 10
    # of the 300 answers of each, one is kept
    assert resident_bytes() - before < 10 * 300 * length / 4
    deaf(server, 2, requests=0)
    while len(server.connections) < 12:
        time.sleep(0.01)
    refused = server.client.get("/items")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json() == {"error": "too many connections are open; try again (limits.connections)"}


def test_clients_that_do_not_read_are_given_up(serve, deaf):
    server = serve("limits.seconds=0.4")
    deaf(server, 10)
    until = time.monotonic() + 15
    while server.client.get("/items").status_code != 200 or len(server.connections) > 1:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_client_that_reads_slowly_is_not_given_up():
    async def app(scope, receive, send):
        raise AssertionError

    config = uvicorn_config(app, ServeConfig())
    config.load()
    due, transport, loop = [], MagicMock(), MagicMock()
    loop.call_later = lambda seconds, *what: due.append(what) or MagicMock()
    protocol = config.http_protocol_class(config, ServerState(), {}, loop)
    protocol.connection_made(transport)
    transport.get_write_buffer_size.return_value = 1_000
    protocol.pause_writing()
    for unread in (999, 500, 20):
        transport.get_write_buffer_size.return_value = unread
        give_up, before = due.pop()
        give_up(before)
        transport.abort.assert_not_called()
    give_up, before = due.pop()
    give_up(before)
    transport.abort.assert_called_once()


def test_a_client_that_asks_too_often_waits(serve):
    client = serve("limits.requests=0.5").client
    answers = [client.post("/recommend", json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers[:1]] == [200]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_other_pages_may_call_only_if_the_settings_say_so(serve, server):
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in server.client.options("/recommend", headers=asked).headers
    allowing = serve("origins=[https://shop.example]").client
    assert allowing.options("/recommend", headers=asked).headers["Access-Control-Allow-Origin"] == "https://shop.example"
    other = {**asked, "Origin": "https://other.example"}
    assert "Access-Control-Allow-Origin" not in allowing.options("/recommend", headers=other).headers


def test_a_failure_tells_nothing_of_the_server(serve, monkeypatch, caplog):
    server = serve()
    monkeypatch.setattr(type(server.service.policies["main"]), "ask", lambda self, questions: 1 / 0)
    failed = server.client.post("/recommend", json={})
    assert (failed.status_code, failed.json()) == (500, {"error": "something failed in the server; its log says what"})
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert server.recommend()["items"]


def test_a_body_of_another_kind_is_refused(server):
    refused = server.client.post("/recommend", content=b'{"k": 3}', headers={"Content-Type": "text/plain"})
    assert refused.status_code == 422
    assert list(refused.json()) == ["error"]


def test_requests_that_are_no_http_harm_nobody(server):
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    for sent in (b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection(address, timeout=10) as raw:
            raw.sendall(sent)
            assert b"400" in raw.recv(1000)
    assert server.recommend()["items"]


def test_unknown_paths_and_methods_have_the_same_form(server):
    for answer in (server.client.get("/nothing"), server.client.get("/recommend"), server.client.get("/page/../app.py")):
        assert answer.status_code in (404, 405)
        assert list(answer.json()) == ["error"]


def test_limits_of_time_do_not_end_connections_that_are_used(serve):
    server = serve("limits.seconds=0.4")
    with httpx.Client(base_url=server.url) as client:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert client.get("/metrics.json").status_code == 200
