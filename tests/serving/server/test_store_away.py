"""What a server does while its database is away: nothing is acknowledged that is not stored."""

from __future__ import annotations

from pathlib import Path

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


def test_a_full_disk_is_told_and_recovers(full_disk, serve):
    server = serve(url=f"sqlite:///{full_disk}/feedback.db")
    answer = server.recommend()
    ballast = full_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)
    statuses = {server.client.post("/feedback", json={**told(answer), "key": f"key-{number}"}).status_code for number in range(40)}
    assert 503 in statuses
    assert statuses <= {200, 503}
    ballast.unlink()
    stored = server.client.post("/feedback", json={**told(answer), "key": "last"})
    assert stored.json()["stored"]
    assert server.recommend()["recommendation"]
