"""Many at once: batches, full queues, sessions of many people, and a swap of the policy among requests."""

from __future__ import annotations

import json
import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import polars as pl
import pytest

from recframe.server.served import ServedPolicies, ServedPolicy
from recframe.server.watching import Watcher
from recframe.serving.policy import LoadedPolicy


@pytest.fixture
def held(monkeypatch):
    """Holds the policies' answers back until it is set; `held.sizes` are those of the batches."""
    ask, event = ServedPolicy.ask, threading.Event()
    event.sizes = []

    def wait_and_ask(self, questions):
        if threading.current_thread().name == "recframe-policies":
            event.sizes.append(len(questions))
            assert event.wait(20)
        return ask(self, questions)

    monkeypatch.setattr(ServedPolicy, "ask", wait_and_ask)
    return event


def wait_until(condition) -> None:
    """Give other threads time until something holds."""
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never held")


def test_requests_that_wait_are_answered_together(serve, held, policy):
    server = serve("batch.size=6")
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(server.recommend, history=["0"])
        wait_until(lambda: held.sizes)
        others = [threads.submit(server.recommend, history=[str(item)], k=3) for item in range(8)]
        wait_until(lambda: server.service.waiting == 8)
        held.set()
        assert first.result()["items"]
        for item, other in enumerate(others):
            assert [one["id"] for one in other.result()["items"]] == policy.recommend([str(item)], k=3).ids
    assert held.sizes == [1, 6, 2]


def test_a_bad_question_costs_no_other_of_its_batch(serve, held):
    server = serve()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(server.recommend)
        wait_until(lambda: held.sizes)
        bad = threads.submit(server.client.post, "/recommend", json={"history": ["nope"]})
        good = threads.submit(server.recommend)
        wait_until(lambda: server.service.waiting == 2)
        held.set()
        assert bad.result().status_code == 400
        assert first.result()["items"] == good.result()["items"]


def test_an_answer_that_comes_after_the_question_of_somebody_else_leaves_their_visit_alone(serve, held, reading_policy):
    server = serve("batch.size=1", main=reading_policy)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(server.recommend, session="visit", user="first", say="something new", k=2)
        wait_until(lambda: held.sizes)
        # it fails, so that it leaves nothing that would hide what the first answer does
        asked = {"session": "visit", "user": "second", "history": ["nope"]}
        second = threads.submit(server.client.post, "/recommend", json=asked)
        wait_until(lambda: server.service.waiting == 1)
        # the first answer comes once the second question is there
        held.set()
        late = first.result()
        assert second.result().status_code == 400
    state = server.service.sessions.find("visit")
    assert (state.user, state.say) == ("second", None)
    told = {"recommendation": late["recommendation"], "item": late["items"][0]["id"], "signals": {"click": 1}}
    assert server.client.post("/feedback", json=told).json()["history"] == []
    assert server.recommend(session="visit", user="second", k=2)["items"] == server.recommend(user="second", k=2)["items"]


def test_more_than_may_wait_are_refused_at_once(serve, held):
    server = serve("batch.queue=2")
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(server.recommend)
        wait_until(lambda: held.sizes)
        waiting = [threads.submit(server.recommend) for _ in range(2)]
        wait_until(lambda: server.service.waiting == 2)
        refused = server.client.post("/recommend", json={})
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.json() == {"error": "too many requests wait; try again"}
        held.set()
        assert all(one.result()["items"] for one in [first, *waiting])


def test_a_request_that_waits_too_long_is_answered(serve, held):
    server = serve("batch.seconds=0.2")
    refused = server.client.post("/recommend", json={})
    assert refused.status_code == 503
    assert "takes too long" in refused.json()["error"]
    held.set()
    assert server.recommend()["items"]


def test_sessions_of_people_who_act_at_once_are_not_mixed(serve):
    server = serve()

    def visit(person: int) -> None:
        clicked: list[str] = []
        session = f"session-{person}"
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for step in range(6):
                answer = client.post("/recommend", json={"session": session, "k": 3}).json()
                shown = [item["id"] for item in answer["items"]]
                assert answer["session"] == session
                assert not set(shown) & set(clicked)
                item = shown[(person + step) % 3]
                told = {"recommendation": answer["recommendation"], "item": item, "signals": {"rating": 1 + person % 5}}
                clicked.append(item)
                answer = client.post("/feedback", json=told).json()
                assert answer["session"] == session
                assert [entry["id"] for entry in answer["history"]] == clicked
                assert {entry["signals"]["rating"] for entry in answer["history"]} == {1 + person % 5}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, range(12)))
    log = server.service.store.log_frame()
    # everybody's log has everybody's own clicks
    assert log.group_by("session").agg(pl.col("rating").ne(0).sum())["rating"].to_list() == [6] * 12


def other_version(artefact: Path, folder: Path, version: str) -> Path:
    """A copy of an artefact that says another version of itself, and does not exclude the history."""
    shutil.copytree(artefact, folder)
    manifest = json.loads((folder / "artefact.json").read_text())
    (folder / "artefact.json").write_text(json.dumps({**manifest, "version": version, "excludes_history": False}))
    return folder


def test_a_swap_under_load_loses_no_request(serve, artefact, tmp_path):
    link = tmp_path / "served"
    link.symlink_to(artefact)
    server = serve("watch=true", "watch_seconds=0.02", folders={"main": link})
    seen: list[tuple[int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not ended.is_set():
                answer = client.post("/recommend", json={"session": "one", "k": 2})
                seen.append((answer.status_code, answer.json().get("version", answer.text)))

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        try:
            for version in ("second", "third"):
                new = tmp_path / "link"
                new.symlink_to(other_version(artefact, tmp_path / version, version))
                new.replace(link)
                wait_until(lambda version=version: (200, version) in seen)
        finally:
            ended.set()
        for one in asking:
            one.result()
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} >= {"second", "third"}
    assert 'recframe_swaps_total{outcome="taken",policy="main"} 2.0' in server.client.get("/metrics").text


def test_the_copy_for_explanations_goes_with_its_policy(serve, artefact, tmp_path, monkeypatch):
    link, copies, copy = tmp_path / "served", [], LoadedPolicy.copy
    link.symlink_to(artefact)

    def copied(policy):
        twin = copy(policy)
        copies.append(weakref.ref(twin))
        return twin

    monkeypatch.setattr(LoadedPolicy, "copy", copied)
    server = serve("watch=true", "watch_seconds=0.02", folders={"main": link})
    for version in ("second", "third"):
        new = tmp_path / "link"
        new.symlink_to(other_version(artefact, tmp_path / version, version))
        new.replace(link)
        wait_until(lambda version=version: server.recommend(k=2)["version"] == version)
        if version == "second":
            assert server.client.post("/explain", json={"item": "3"}).status_code == 200
            (one,) = copies
            assert one() is not None
    # nobody asks for an explanation again
    wait_until(lambda: one() is None)


def test_an_artefact_is_not_loaded_again_for_the_items_that_were_added(artefact, policy):
    served = ServedPolicy("main", policy.copy())
    served.policy.version = f"{policy.version}+9a3c41d0"
    taken: list[str] = []
    watcher = Watcher({"main": artefact}, lambda name, folder: taken.append(name), ServedPolicies([served], {}), print, 0.01)
    watcher.start()
    try:
        wait_until(lambda: watcher._seen)
    finally:
        watcher.close()
    assert taken == []


def test_a_damaged_artefact_is_refused_and_the_old_policy_stays(serve, artefact, tmp_path, caplog, policy):
    folder = shutil.copytree(artefact, tmp_path / "served")
    server = serve("watch=true", "watch_seconds=0.02", folders={"main": folder})
    broken = other_version(artefact, tmp_path / "new", "broken")
    (broken / "items.parquet").write_bytes(b"damage")
    folder.rename(tmp_path / "old")
    broken.rename(folder)
    wait_until(lambda: 'recframe_swaps_total{outcome="refused",policy="main"} 1.0' in server.client.get("/metrics").text)
    assert server.recommend()["version"] == policy.version
    assert f"is refused, and version {policy.version} stays" in caplog.text
    assert "items.parquet: is damaged" in caplog.text


def test_a_session_goes_on_where_the_new_policy_has_other_items(serve, policy, reading_policy):
    server = serve(b=reading_policy)
    first = server.recommend(policy="main", k=2)
    server.click(first)
    # its items are unknown to the other policy, and so is what it says
    assert server.recommend(policy="b", session=first["session"], say="words", k=2)["items"]
    assert server.recommend(policy="main", session=first["session"], k=2)["items"]
