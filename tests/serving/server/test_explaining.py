"""What `/explain` and `why` tell: nothing of the people in the data, and a failure stops no other explanation."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from recframe.explanations import Counterfactual, PartEffect, explain
from recframe.explanations.explanation import Explanation, ShownBy
from recframe.feedback import ShownAt
from recframe.server.explaining import Explainers, ToExplain, without_user
from recframe.server.served import ServedPolicy
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.question import Question


def test_an_explanation_tells_nothing_of_a_user_in_the_data(serve, reading_policy):
    users = reading_policy.data.users
    user, profile, item = users.ids[0], users.profiles.texts[0], reading_policy.data.catalog.ids[0]
    whole = explain(reading_policy, user=user, item=item)
    assert "user" in [part.part for part in whole.person]
    assert profile in [words.text for words in whole.words]
    server = serve(main=reading_policy)
    for asked in ({}, {"history": [reading_policy.data.catalog.ids[3]]}, {"say": "something new"}):
        told = server.client.post("/explain", json={**asked, "user": user, "item": item}).json()
        unknown = server.client.post("/explain", json={**asked, "user": "nobody", "item": item}).json()
        for answer in (told, unknown):
            assert profile not in json.dumps(answer)
            assert "who you are" not in answer["sentence"]
        assert [part["part"] for part in told["person"]] == [part["part"] for part in unknown["person"]]
        assert [words["of"] for words in told["words"]] == [words["of"] for words in unknown["words"]]
        assert told["notes"] == unknown["notes"]
    shown = server.recommend(user=user, k=5, why=True)["items"]
    assert all(one["why"] and "who you are" not in one["why"] for one in shown)


def test_a_profile_that_the_asker_gave_is_explained(serve, reading_policy):
    asked = {"profile": "I like a long novel", "item": reading_policy.data.catalog.ids[0]}
    told = serve(main=reading_policy).client.post("/explain", json=asked).json()
    assert [part["part"] for part in told["person"]] == ["profile"]
    assert "I like a long novel" in [words["text"] for words in told["words"]]


USER = PartEffect("user", "ann", 0.9, id="ann", place_without=7)
NOVEL = PartEffect("history", "Novel", 0.4, id="2", signal="click", value=1.0, place_without=5)
ABOUT = Explanation("1", "Film", "main", "", "lead", ShownBy(1), lead=1.0, spread=1.0, place=1, place_unknown=9, lead_unknown=0.0)


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ((NOVEL,), "'Film' is at place 1; the strongest single reason is that you clicked 'Novel': without this it would be at place 5."),
        ((), "'Film' is at place 1."),
    ],
)
def test_the_next_strongest_reason_takes_the_place_of_the_user(history, sentence):
    from recframe.explanations.sentence import sentence_of

    about = replace(ABOUT, history=history, person=(USER,), counterfactual=Counterfactual(USER, 1, "3", "Other"))
    about = replace(about, sentence=sentence_of(about))
    assert "who you are" in about.sentence
    told = without_user(about)
    assert told.sentence == sentence
    assert (told.person, told.counterfactual) == ((), None)


def test_of_a_user_alone_only_the_place_in_the_ranking_is_told_where_it_is_not_known_what_was_shown():
    from recframe.explanations.sentence import sentence_of

    about = replace(ABOUT, person=(USER,), decision=ShownBy(None, explored=None))
    assert without_user(replace(about, sentence=sentence_of(about))).sentence == "By itself the policy puts 'Film' at place 1."


def test_an_explored_item_is_explained_as_it_was_shown(serve, policy):
    server = serve("exploration.kind=epsilon", "exploration.epsilon=0.9", "seed=7", other=policy)
    best = policy.recommend(["3"], k=3).ids
    answer = server.recommend(history=["3"], k=3, policy="main")
    while set(shown := [item["id"] for item in answer["items"]]) <= set(best):
        answer = server.recommend(history=["3"], k=3, policy="main")
    place = next(place for place, item in enumerate(shown) if item not in best)
    item = answer["items"][place]
    asked = {"history": ["3"], "item": item["id"], "k": 3}

    unknown = server.client.post("/explain", json={**asked, "policy": "main"}).json()
    assert unknown["decision"] == {"place": None, "explored": None, "propensity": None}
    assert unknown["sentence"].startswith(f"By itself the policy puts '{item['title']}' at place {unknown['place']}")
    assert "is shown" not in unknown["sentence"]

    known = {**asked, "recommendation": answer["recommendation"]}
    told = server.client.post("/explain", json=known).json()
    assert told["decision"] == {"place": place + 1, "explored": True, "propensity": item["propensity"]}
    assert told["sentence"].startswith(f"'{item['title']}' is shown to try it out, with a probability of")
    assert told["sentence"].endswith(f"by itself the policy puts it at place {unknown['place']}.")
    assert {**told, "decision": 0, "sentence": 0} == {**unknown, "decision": 0, "sentence": 0}

    left = next(other for other in policy.data.catalog.ids if other not in shown)
    for change, status, message in (
        ({"recommendation": "nope"}, 404, "recommendation: 'nope' is not known"),
        ({"item": left}, 422, f"item: '{left}' was not shown by the recommendation"),
        ({"policy": "other"}, 422, "policy: the recommendation is one of 'main'"),
    ):
        refused = server.client.post("/explain", json={**known, **change})
        assert (refused.status_code, list(refused.json())) == (status, ["error"])
        assert refused.json()["error"].startswith(message)


def test_reasons_of_another_version_than_that_which_showed_the_item_say_so(policy):
    served = ServedPolicy("main", policy)
    asked = [ToExplain(served, Question(), "3", ShownAt("main", version, False, 1, 1.0)) for version in ("old", served.version)]
    other, same = Explainers().explained(asked)
    note = f"it was shown by version old of the policy; the reasons are those of version {served.version}"
    assert other["notes"] == [*same["notes"], note]
    assert other["decision"] == same["decision"] == {"place": 2, "explored": False, "propensity": 1.0}


def test_a_sentence_about_a_rule_stays(reading_policy):
    user, item = reading_policy.data.users.ids[0], reading_policy.data.catalog.ids[0]
    about = explain(reading_policy, user=user, item=item, must_include=[item])
    assert "must_include" in about.sentence
    assert without_user(about).sentence == about.sentence


def test_an_explanation_that_fails_stops_no_other(reading_policy, monkeypatch, caplog):
    from recframe import explanations

    served, item = ServedPolicy("main", reading_policy), reading_policy.data.catalog.ids[0]
    broken, right = Question(context="broken"), Question()

    def fails(real):
        def run(policy, question, *arguments, **options):
            if question is broken:
                raise ZeroDivisionError("no such thing")
            return real(policy, question, *arguments, **options)

        return run

    monkeypatch.setattr(explanations, "explain", fails(explanations.explain))
    monkeypatch.setattr(explanations, "explain_all", fails(explanations.explain_all))
    slate = RankedItems([RankedItem(item, "")])
    asked = [(broken, item), (right, item), (broken, slate), (right, "none")]
    failed, told, unsaid, refused = Explainers().explained([ToExplain(served, *one) for one in asked])
    assert isinstance(failed, ZeroDivisionError)
    assert told["id"] == item
    assert unsaid == [None]
    assert "none" in str(refused)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["main: an explanation failed"] * 2


@pytest.fixture
def held(monkeypatch):
    """Holds explanations back, while they have the policy, until it is set; `held.begun` is their number."""
    module, event = explain.__globals__, threading.Event()
    compared, event.begun = module["compared"], 0

    def wait_and_compare(*given):
        event.begun += 1
        assert event.wait(20)
        return compared(*given)

    monkeypatch.setitem(module, "compared", wait_and_compare)
    return event


def wait_until(condition) -> None:
    """Give other threads time until something holds."""
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never held")


def test_no_answer_waits_for_an_explanation_and_few_explanations_wait(serve, held, policy):
    server = serve("batch.explanations=2", "batch.seconds=20")
    asked = {"history": ["3"], "item": "5"}
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(server.client.post, "/explain", json=asked)
        wait_until(lambda: held.begun == 1)
        waiting = [threads.submit(server.client.post, "/explain", json=asked) for _ in range(2)]
        wait_until(lambda: server.service.waiting == 2)
        assert server.recommend(history=["3"], k=3)["items"]
        refused = server.client.post("/explain", json=asked)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        shown = server.recommend(history=["3"], k=3, why=True)["items"]
        assert [(item["id"], item["why"]) for item in shown] == [(item, None) for item in policy.recommend(["3"], k=3).ids]
        # one at a time
        assert held.begun == 1
        held.set()
        answers = [one.result().json() for one in (first, *waiting)]
    expected = explain(policy, history=["3"], item="5")
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["sentence"] == expected.sentence
    assert answers[0]["score"] == pytest.approx(expected.score)


def test_an_explanation_is_of_the_policy_that_answers_now(serve, policy, reading_policy):
    explainers, item = Explainers(), "3"
    one = ToExplain(ServedPolicy("main", policy), Question(), item)
    assert explainers.explained([one]) == explainers.explained([one])
    other = ServedPolicy("main", reading_policy)
    item = reading_policy.data.catalog.ids[3]
    (told,) = explainers.explained([ToExplain(other, Question(), item)])
    assert told["score"] == pytest.approx(explain(reading_policy, item=item).score)
