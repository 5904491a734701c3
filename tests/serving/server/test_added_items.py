"""POST /items: items are added by their texts, and are there after a restart and in a new artefact."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

import recframe

KEY = {"X-API-Key": "admin"}
NEW = [{"id": "new-1", "text": "A film of whales", "title": "Whales", "year": 2001}, {"id": "new-2", "text": "A film of ships"}]


@pytest.fixture
def admin(monkeypatch):
    monkeypatch.setenv("TEST_ADMIN", "admin")
    return "admin_key_variable=TEST_ADMIN"


def test_added_items_are_recommended_and_stay(serve, admin, by_text, tmp_path):
    folder = shutil.copytree(by_text, tmp_path / "served")
    server = serve(admin, main=recframe.load_policy(folder))
    answer = server.client.post("/items", json={"items": NEW}, headers=KEY)
    assert answer.json() == {"added": 2, "policies": ["main"], "refused": {}}
    base, version = recframe.load_policy(folder).version, server.client.get("/policy").json()["policies"][0]["version"]
    assert version.startswith(f"{base}+")
    assert server.client.get("/health").json()["policies"] == {"main": version}
    assert server.client.post("/items", json={"items": NEW[:1]}, headers=KEY).json()["added"] == 0
    shown = server.recommend(candidates=["new-1", "3"], k=2)
    assert {item["id"] for item in shown["items"]} == {"new-1", "3"}
    assert server.client.get("/items/new-1").json() == {"id": "new-1", "title": "Whales", "attributes": {"year": 2001, "genres": None}}
    assert server.client.get("/items", params={"query": "whal"}).json()["total"] == 1
    assert shown["version"] == version
    assert f'recframe_recommendations_total{{policy="main",version="{version}"}} 1.0' in server.client.get("/metrics").text
    assert server.service.store.log_frame()["version"].unique().to_list() == [version]
    place = [item["id"] for item in shown["items"]].index("new-1")
    assert server.click(shown, place)["stored"]
    stored = server.service.store.items_frame()
    assert stored.filter("added")["id"].to_list() == ["new-1", "new-2"]
    assert stored["text"].to_list()[-2:] == ["A film of whales", "A film of ships"]
    # another server with the same store, of the artefact as it was
    other = serve(admin, main=recframe.load_policy(folder))
    again = other.recommend(candidates=["new-2"])
    assert (again["items"][0]["title"], again["version"]) == ("A film of ships", version)


def test_items_that_cannot_be_added_are_refused_as_a_whole(serve, admin, by_text):
    server = serve(admin, main=recframe.load_policy(by_text))
    refused = server.client.post("/items", json={"items": [*NEW, {"id": "3", "text": "other words"}]}, headers=KEY)
    assert refused.status_code == 400
    assert "item '3' is there already, with another text" in refused.json()["error"]
    assert server.client.get("/items/new-1").status_code == 404
    unknown = server.client.post("/items", json={"items": [{**NEW[0], "colour": "red"}]}, headers=KEY)
    assert "the items have no attribute 'colour'" in unknown.json()["error"]


def test_questions_are_answered_while_items_are_added(serve, admin, by_text):
    server = serve(admin, main=recframe.load_policy(by_text))

    def add(number: int) -> int:
        body = {"items": [{"id": f"new-{number}", "text": f"A film of the number {number}"}]}
        return server.client.post("/items", json=body, headers=KEY).json()["added"]

    with ThreadPoolExecutor(4) as threads:
        adding = [threads.submit(add, number) for number in range(4)]
        asked = [threads.submit(server.recommend, k=5) for _ in range(30)]
        assert all(len(one.result()["items"]) == 5 for one in asked)
        assert sum(one.result() for one in adding) == 4
    assert server.client.get("/policy").json()["policies"][0]["items"] == 24


def test_approximate_search_finds_added_items(serve, admin, by_text):
    pytest.importorskip("faiss")
    exact = recframe.load_policy(by_text)
    server = serve(admin, "search.kind=approximate", main=recframe.load_policy(by_text))
    # the texts of films, so that the new ones stand beside them
    new = [{"id": f"new-{film}", "text": text} for film, text in enumerate(exact.data.catalog.texts)]
    assert server.client.post("/items", json={"items": new}, headers=KEY).json()["added"] == len(new)
    exact.add_items(new)
    for history in ([], ["3"], ["7", "new-2"]):
        shown = server.recommend(history=history, k=12)
        found = exact.recommend(history, k=12)
        assert [item["score"] for item in shown["items"]] == pytest.approx([item.score for item in found], abs=1e-5)
        assert any(item["id"].startswith("new-") for item in shown["items"])
