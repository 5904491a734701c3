"""What a server does while its database is away: nothing is acknowledged that is not stored."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()


def told(answer: dict) -> dict:
    return {"recommendation": answer["recommendation"], "item": answer["items"][0]["id"], "signals": {"rating": 1}}


@pytest.fixture
def away(postgres):
    """Stops PostgreSQL at once; it is there again after the test."""
    there = [True]

    def stop() -> None:
        postgres.stop()
        there[0] = False

    def start() -> None:
        postgres.start()
        there[0] = True

    stop.start = start
    yield stop
    if not there[0]:
        postgres.start()


def test_a_database_that_stops_is_told_and_recovers(serve, postgres, away):
    server = serve(url=postgres.new_database())
    answer = server.recommend()
    assert server.client.post("/feedback", json=told(answer)).json()["stored"]
    away()
    for path, body in (("/recommend", {}), ("/feedback", told(answer))):
        refused = server.client.post(path, json=body)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert refused.json() == {"error": "the store of feedback does not answer; try again"}
    assert server.client.get("/health").json()["status"] == "degraded"
    assert server.client.get("/items").status_code == 200
    away.start()
    assert server.recommend()["recommendation"]
    assert server.client.post("/feedback", json=told(answer)).json()["duplicate"]
    assert server.client.get("/health").json()["status"] == "ok"
    assert server.service.store.log_frame()["recommendation"].n_unique() == 2


def test_a_server_may_go_on_without_its_database(serve, postgres, away):
    server = serve("feedback.required=false", url=postgres.new_database())
    away()
    answer = server.recommend()
    assert answer["recommendation"] is None
    assert answer["items"]
    away.start()
    assert server.recommend()["recommendation"]
    assert 'recframe_unrecorded_total{policy="main"} 1.0' in server.client.get("/metrics").text


FAILS = "the store of feedback is there, and fails; the server's log says why"


def told_of_the_store(caplog) -> list[str]:
    return [record.getMessage().split(":")[0] for record in caplog.records if record.name == "recframe.feedback.store"]


@pytest.fixture(params=["damaged file", "read only"])
def broken(request, tmp_path):
    """The address of a store; `breaks` lets it answer and fail, and `mends` makes it whole."""
    store = SimpleNamespace(says={"damaged file": "malformed", "read only": "read-only transaction"}[request.param])
    if request.param == "damaged file":
        store.url, file = f"sqlite:///{tmp_path}/broken.db", tmp_path / "broken.db"

        def write(change) -> None:
            with contextlib.closing(sqlite3.connect(file)) as connection:
                # others read the file again once somebody has written
                connection.execute("INSERT OR REPLACE INTO signals VALUES ('like')")
                connection.commit()
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                change()

        def breaks() -> None:
            write(lambda: setattr(store, "content", file.read_bytes()))
            # all but the first page
            with file.open("r+b") as opened:
                opened.seek(4096)
                opened.write(b"\xee" * (len(store.content) - 4096))

        def mends() -> None:
            file.write_bytes(store.content)
            write(lambda: None)

        store.breaks, store.mends = breaks, mends
        return store
    import psycopg

    postgres = request.getfixturevalue("postgres")
    store.url = postgres.new_database()
    name = store.url.rpartition("/")[2]

    def read_only(value: str) -> None:
        with psycopg.connect(f"{store.url.removesuffix(name)}postgres", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    store.breaks, store.mends = (lambda: read_only("on")), (lambda: read_only("off"))
    return store


def test_a_database_that_answers_and_fails_is_told_as_what_it_is(serve, broken, caplog):
    server = serve(url=broken.url)
    answer = server.recommend()
    broken.breaks()
    for path, body in (("/recommend", {}), ("/feedback", told(answer))) * 2:
        refused = server.client.post(path, json=body)
        assert (refused.status_code, refused.json()) == (503, {"error": FAILS})
        assert "Retry-After" not in refused.headers
    assert told_of_the_store(caplog) == ["the store answers, and fails, which is told once"]
    assert broken.says in caplog.text
    broken.mends()
    assert server.client.post("/feedback", json=told(answer)).json()["stored"]
    assert server.recommend()["recommendation"]
    assert told_of_the_store(caplog)[1:] == ["the store is back"]


def test_a_server_may_go_on_with_a_database_that_fails(serve, broken):
    server = serve("feedback.required=false", url=broken.url)
    broken.breaks()
    answer = server.recommend()
    assert answer["items"]
    assert answer["recommendation"] is None
    broken.mends()
    assert server.recommend()["recommendation"]


def test_a_full_disk_is_told_and_recovers(full_disk, serve):
    server = serve(url=f"sqlite:///{full_disk}/feedback.db")
    answer = server.recommend()
    ballast = full_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)
    # room for a few commits
    os.truncate(ballast, ballast.stat().st_size - 100_000)
    given = {f"key-{number}": server.client.post("/feedback", json={**told(answer), "key": f"key-{number}"}) for number in range(40)}
    statuses = {key: answered.status_code for key, answered in given.items()}
    assert set(statuses.values()) == {200, 503}
    ballast.unlink()
    # what was acknowledged is there, and what was refused is not
    again = {key: server.client.post("/feedback", json={**told(answer), "key": key}).json() for key in statuses}
    assert {key: one["duplicate"] for key, one in again.items()} == {key: status == 200 for key, status in statuses.items()}
    assert server.service.store.feedback_since(0) == len(statuses)
    assert server.recommend()["recommendation"]
