"""What a server answers over HTTP, and what it records."""

from __future__ import annotations

import json

import pytest

import recframe


def test_the_answers_are_those_of_the_policy_and_are_recorded(server, policy):
    answer = server.recommend(history=["3", ["4", {"rating": 2}]], k=4, candidates=[str(item) for item in range(15)])
    expected = policy.recommend(["3", ("4", {"rating": 2.0})], k=4, candidates=[str(item) for item in range(15)])
    assert [item["id"] for item in answer["items"]] == expected.ids
    assert [item["score"] for item in answer["items"]] == pytest.approx([item.score for item in expected])
    assert [item["position"] for item in answer["items"]] == [0, 1, 2, 3]
    assert {item["propensity"] for item in answer["items"]} == {1.0}
    assert answer["items"][0]["title"].startswith("<Film>")
    assert answer["items"][0]["attributes"] == {"year": 1999, "genres": ["Drama"]}
    assert (answer["policy"], answer["version"], answer["explored"]) == ("main", policy.version, False)
    log = server.service.store.log_frame()
    rows = log.filter(log["recommendation"] == answer["recommendation"])
    assert rows["item"].to_list() == expected.ids
    assert rows["user"].unique().to_list() == [answer["session"]]


def test_a_server_that_searches_approximately_answers_with_the_same_items(serve, artefact, policy, caplog):
    pytest.importorskip("faiss")
    caplog.set_level("INFO")
    server = serve("search.kind=approximate", "search.probes=50", main=recframe.load_policy(artefact))
    assert "main: approximate search finds 100.0 % of the best 10 items" in caplog.text
    assert [item["id"] for item in server.recommend(history=["3"], k=5)["items"]] == policy.recommend(["3"], k=5).ids
    assert server.client.post("/explain", json={"history": ["3"], "item": "5"}).status_code == 200


def test_what_a_request_allowed_is_recorded(server):
    asked = {"k": 3, "candidates": ["1", "2", "3", 4], "exclude": ["2"], "must_include": ["4"], "at_most": {"year": 3}}
    restricted, free = server.recommend(**asked), server.recommend(k=2)
    store = server.service.store
    frame = {row["recommendation"]: row for row in store.asked_frame().rows(named=True)}
    row = frame[restricted["recommendation"]]
    lists = store.item_lists([row["candidates"], row["exclude"]])
    assert (lists[row["candidates"]], lists[row["exclude"]]) == (["1", "2", "3", "4"], ["2"])
    assert (row["k"], row["exploration"], row["must_include"], row["at_most"]) == (3, "none", '["4"]', '{"year": 3}')
    row = frame[free["recommendation"]]
    assert (row["k"], *(row[name] for name in ("candidates", "exclude", "must_include", "at_most"))) == (2, None, None, None, None)


def test_feedback_becomes_the_history_of_the_session(server, policy):
    first = server.recommend(k=3)
    told = server.click(first, 1)
    assert told["stored"]
    assert not told["duplicate"]
    assert told["session"] == first["session"]
    item = first["items"][1]
    assert told["history"] == [{"id": item["id"], "title": item["title"], "signals": {"rating": 5.0}}]
    second = server.recommend(session=first["session"], k=3)
    assert [one["id"] for one in second["items"]] == policy.recommend([(item["id"], {"rating": 5.0})], k=3).ids
    # a history that is given takes its place, for this question
    given = server.recommend(session=first["session"], k=3, history=["7"])
    assert [one["id"] for one in given["items"]] == policy.recommend(["7"], k=3).ids
    assert server.client.get(f"/sessions/{first['session']}").json()["history"] == told["history"]
    assert server.client.delete(f"/sessions/{first['session']}").json() == {"forgotten": True}
    assert server.client.get(f"/sessions/{first['session']}").status_code == 404


def test_repeated_feedback_counts_once(server):
    answer = server.recommend(k=2)
    assert not server.click(answer)["duplicate"]
    again = server.click(answer)
    assert again["duplicate"]
    assert again["stored"]
    assert len(again["history"]) == 1
    told = {"recommendation": answer["recommendation"], "item": answer["items"][1]["id"], "signals": {"rating": 1}}
    answers = [server.client.post("/feedback", json=told, headers={"Idempotency-Key": "one"}).json() for _ in range(2)]
    assert [one["duplicate"] for one in answers] == [False, True]
    assert server.click(answer, 1, key="two")["duplicate"] is False
    reused = server.client.post("/feedback", json={**told, "signals": {"rating": 3}}, headers={"Idempotency-Key": "one"})
    assert reused.status_code == 422


@pytest.mark.parametrize(
    ("told", "status", "message"),
    [
        ({"recommendation": "nope"}, 404, "recommendation: 'nope' is not known"),
        ({"item": "99"}, 422, "item: '99' was not shown by the recommendation"),
        ({"signals": {"applause": 1}}, 422, "signals: there is no signal 'applause'; there are: click, rating"),
        ({"signals": {}}, 422, "signals: "),
        ({"signals": {"rating": "many"}}, 422, "signals: a finite number for each signal is right"),
        ({"itme": "1"}, 422, "itme: there is no such field; did you mean 'item'?"),
    ],
)
def test_wrong_feedback_is_one_line(server, told, status, message):
    answer = server.recommend(k=1)
    right = {"recommendation": answer["recommendation"], "item": answer["items"][0]["id"], "signals": {"rating": 1}}
    refused = server.client.post("/feedback", json={**right, **told})
    assert refused.status_code == status
    assert refused.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"history": ["nope"]}, 400, "history: no item of the run's data has the id 'nope'"),
        ({"histroy": ["1"]}, 422, "histroy: there is no such field; did you mean 'history'?"),
        ({"history": [{"1": 2}]}, 422, "history.0: an entry is an id, or an id with its signals"),
        ({"k": 0}, 422, "k: input should be greater than or equal to 1"),
        ({"k": 1000}, 422, "k: 1000 is too many; this server gives 100 items at most"),
        ({"profile": "words"}, 400, "profile: the people of this run have none"),
        ({"policy": "b"}, 422, "policy: there is no 'b'; there are: main"),
        ({"say": "\ud800"}, 422, "say: has characters that no text has"),
        ({"profile": "x" * 5000}, 422, "profile: 5000 characters are too many"),
    ],
)
def test_a_wrong_question_is_one_line(server, asked, status, message):
    refused = server.client.post("/recommend", content=json.dumps(asked), headers={"Content-Type": "application/json"})
    assert (refused.status_code, list(refused.json())) == (status, ["error"])
    assert refused.json()["error"].startswith(message)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff", b"[" * 50_000, b'{"k": 1' + b"0" * 5000 + b"}", b'{"k": NaN}'])
def test_a_body_that_is_no_question_is_refused(server, body):
    refused = server.client.post("/recommend", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)
    assert list(refused.json()) == ["error"]


def test_the_catalogue_is_searched(server):
    found = server.client.get("/items", params={"query": "film 1", "limit": 3, "offset": 1}).json()
    assert found["total"] == 11  # 1, and 10 to 19
    assert server.client.get("/items", params={"query": "FILM> 17 "}).json()["items"] == [
        {"id": "17", "title": "<Film> 17", "attributes": {"year": 1999, "genres": ["Drama"]}}
    ]
    assert len(server.client.get("/items", params={"limit": 3}).json()["items"]) == 3
    assert server.client.get("/items/17").json()["title"] == "<Film> 17"
    assert server.client.get("/items/none").json() == {"error": "there is no item with this id"}


def test_the_server_says_what_it_is_and_how_it_does(server, policy):
    (described,) = server.client.get("/policy").json()["policies"]
    assert described["name"] == "main"
    assert described["agent"] == "dqn"
    assert described["items"] == 20
    assert described["signals"] == ["click", "rating"]
    assert (described["reads_users"], described["columns"], described["share"]) == (True, ["year", "genres"], 1.0)
    health = server.client.get("/health").json()
    assert (health["status"], health["policies"]) == ("ok", {"main": policy.version})
    server.click(server.recommend())
    numbers = server.client.get("/metrics.json").json()
    assert numbers["recommendations"] >= 1
    assert 0 < numbers["p50_ms"] <= numbers["p99_ms"]
    text = server.client.get("/metrics").text
    assert f'recframe_recommendations_total{{policy="main",version="{policy.version}"}}' in text
    assert 'recframe_requests_total{method="POST",route="/recommend",status="200"}' in text
    page = server.client.get("/")
    assert "text/html" in page.headers["Content-Type"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_policy_that_reads_words_has_read_some_before_it_is_served(serve, reading_policy, monkeypatch):
    asked = []
    answered = type(reading_policy).recommend_many

    def noted(policy, questions, *rest):
        asked.extend((bool(one.profile), bool(one.context)) for one in questions)
        return answered(policy, questions, *rest)

    monkeypatch.setattr(type(reading_policy), "recommend_many", noted)
    serve(main=reading_policy)
    assert (True, True) in asked


def test_a_profile_and_what_is_said_are_kept_for_the_session(serve, reading_policy):
    server = serve(main=reading_policy)
    first = server.recommend(profile="A reader of long novels", say="something new", k=3)
    expected = reading_policy.recommend(profile="A reader of long novels", context="something new", k=3)
    assert [item["id"] for item in first["items"]] == expected.ids
    again = server.recommend(session=first["session"], k=3)
    assert [item["id"] for item in again["items"]] == expected.ids
    state = server.client.get(f"/sessions/{first['session']}").json()
    assert (state["profile"], state["say"]) == ("A reader of long novels", "something new")
    # a user whom the policy does not know is somebody new, and is recorded by the name
    assert server.recommend(user="somebody new")["items"]
    assert "somebody new" in server.service.store.log_frame()["user"].to_list()


def test_reasons_are_given_with_the_items_and_in_full(server, policy):
    from recframe.explanations import explain

    answer = server.recommend(history=["3", "4"], k=2, why=True)
    expected = [explain(policy, history=["3", "4"], item=item["id"]) for item in answer["items"]]
    assert all(item["why"] for item in answer["items"])
    assert "why" not in server.recommend(k=1)["items"][0]
    told = server.client.post("/explain", json={"history": ["3", "4"], "item": answer["items"][0]["id"]})
    assert told.status_code == 200
    assert told.json()["sentence"] == expected[0].sentence
    unknown = server.client.post("/explain", json={"item": "none"})
    assert (unknown.status_code, unknown.json()["error"][:12]) == (400, "item: no item"[:12])


def test_somebody_else_in_the_same_visit_is_not_taken_for_the_first_one(serve, reading_policy):
    server = serve(main=reading_policy)
    first, second = reading_policy.data.users.ids[:2]
    answer = server.recommend(user=first, k=2, say="something new")
    told = {"recommendation": answer["recommendation"], "item": answer["items"][0]["id"], "signals": {"click": 1}}
    assert server.client.post("/feedback", json=told).json()["history"]
    server.recommend(user=second, session=answer["session"], k=2)
    state = server.client.get(f"/sessions/{answer['session']}").json()
    assert (state["history"], state["say"]) == ([], None)


def test_late_feedback_of_somebody_else_in_the_same_visit_is_stored_and_in_no_history(server):
    nameless = server.recommend(k=2)
    session = nameless["session"]
    first = server.recommend(user="first", session=session, k=2)
    assert len(server.click(nameless)["history"]) == 1
    second = server.recommend(user="second", session=session, k=2)
    for late, place in ((first, 0), (nameless, 1), (first, 0)):
        told = server.click(late, place)
        assert told["stored"]
        assert told["history"] == []
    assert server.client.get(f"/sessions/{session}").json()["history"] == []
    told = server.click(second)
    assert [entry["id"] for entry in told["history"]] == [second["items"][0]["id"]]
    log = server.service.store.log_frame()
    assert log.filter((log["session"] == session) & (log["rating"] == 5)).height == 4


def test_a_visit_that_was_forgotten_is_of_the_user_whose_feedback_comes(server):
    answer = server.recommend(user="first", k=2)
    session = answer["session"]
    assert server.client.delete(f"/sessions/{session}").json()["forgotten"]
    assert len(server.click(answer)["history"]) == 1
    server.recommend(user="second", session=session, k=2)
    assert server.client.get(f"/sessions/{session}").json()["history"] == []


def test_feedback_that_is_stored_and_not_yet_in_the_history_gets_there_by_a_retry(server):
    answer = server.recommend(k=2)
    told = {
        "recommendation": answer["recommendation"],
        "item": answer["items"][0]["id"],
        "signals": {"rating": 4},
        "key": answer["session"],
    }
    server.client.post("/feedback", json=told)
    server.service.sessions.of(answer["session"]).entries.clear()  # as if the first answer had been given up
    again = server.client.post("/feedback", json=told).json()
    assert again["duplicate"]
    assert [entry["id"] for entry in again["history"]] == [told["item"]]


def test_a_question_without_anything_to_remember_is_no_session(server):
    answer = server.recommend(k=2)
    assert server.client.get(f"/sessions/{answer['session']}").status_code == 404


def test_methods_that_a_client_invents_add_no_numbers_to_the_metrics(server):
    for number in range(20):
        server.client.request(f"X{number}", "/health")
    assert "X1" not in server.client.get("/metrics").text
