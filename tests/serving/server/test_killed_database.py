"""PostgreSQL is killed under load: what was acknowledged is there, once, and who was not answered tries again."""

from __future__ import annotations

import threading
import time
from collections import Counter

import httpx
import pytest

from recframe.feedback import RecordedFeedback
from recframe.feedback.store import FeedbackStore


class PatientClient(threading.Thread):
    """Somebody who asks and gives feedback, and sends each request again until it is answered."""

    def __init__(self, url: str, number: int, ended: threading.Event) -> None:
        super().__init__()
        self.url, self.number, self.ended = url, number, ended
        self.acknowledged: list[tuple[str, str, str]] = []
        self.statuses: Counter[int] = Counter()
        self.mixed = 0
        self.problem: Exception | None = None

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.url, timeout=60) as client:
                while not self.ended.is_set():
                    self._visit(client, len(self.acknowledged))
        except _Ended:
            return
        except Exception as problem:
            self.problem = problem

    def _visit(self, client: httpx.Client, turn: int) -> None:
        # each visit is a session of its own: its history is what it has told
        session, clicked = f"s{self.number}-{turn}", []
        for place in range(3):
            answer = self._until_answered(client, "/recommend", {"session": session, "k": 4, "exclude": []})
            item, key = answer["items"][place]["id"], f"{session}-{place}"
            told = {"recommendation": answer["recommendation"], "item": item, "signals": {"rating": 1 + place}, "key": key}
            heard = self._until_answered(client, "/feedback", told)
            self.acknowledged.append((answer["recommendation"], item, key))
            clicked.append((item, 1.0 + place))
            self.mixed += [(entry["id"], entry["signals"]["rating"]) for entry in heard["history"]] != clicked

    def _until_answered(self, client: httpx.Client, path: str, body: dict) -> dict:
        while not self.ended.is_set():
            answer = client.post(path, json=body)
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                return answer.json()
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"]
            time.sleep(0.02)
        raise _Ended


class _Ended(Exception):
    """The test is over, and this request is not sent again."""


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.evidence)])
def test_no_acknowledged_feedback_is_lost_or_doubled_where_the_database_is_killed(serve, postgres, kills, caplog):
    url = postgres.new_database()
    server = serve(url=url)
    ended = threading.Event()
    clients = [PatientClient(server.url, number, ended) for number in range(4)]
    for client in clients:
        client.start()

    def wait_for(more: int) -> None:
        goal, until = sum(len(client.acknowledged) for client in clients) + more, time.monotonic() + 120
        while sum(len(client.acknowledged) for client in clients) < goal:
            assert not any(client.problem for client in clients), [client.problem for client in clients]
            assert time.monotonic() < until
            time.sleep(0.01)

    try:
        for _ in range(kills):
            wait_for(60)
            postgres.kill()
            postgres.start()
        wait_for(30)
    finally:
        ended.set()
        for client in clients:
            client.join()
    assert [client.problem for client in clients] == [None] * 4
    assert sum(client.mixed for client in clients) == 0
    told = [one for client in clients for one in client.acknowledged]
    statuses = sum((client.statuses for client in clients), Counter())
    assert statuses[503]
    with FeedbackStore.open(url) as store:
        ratings = {(recommendation, item): 1 + int(key.rpartition("-")[2]) for recommendation, item, key in told}
        for recommendation, item, key in told:
            again = RecordedFeedback(recommendation, item, {"rating": float(ratings[recommendation, item])}, 0.0, key)
            assert store.record_feedback(again) is False
        # each is there once; the last of each client may have been given up before its answer
        assert len(told) <= store.feedback_since(0) <= len(told) + len(clients)
        log = store.log_frame()
    assert log.select("recommendation", "position").is_duplicated().sum() == 0
    rated = {(row["recommendation"], row["item"]): row["rating"] for row in log.filter(log["rating"] > 0).iter_rows(named=True)}
    assert rated.items() >= ratings.items()
    assert not any(record.exc_info for record in caplog.records)
    print(f"{kills} kills of the database: {len(told):,} acknowledged, none lost or doubled; statuses {dict(statuses)}")
