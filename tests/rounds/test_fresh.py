"""What the gate reads of a store: the slates, the questions asked again, and what speaks against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import recframe
from recframe.evaluation.off_policy.diagnostics import diagnose
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem
from recframe.feedback.store import FeedbackStore
from recframe.rounds.fresh import UnlikeQuestions, fresh_slates
from recframe.rounds.slates import NOTHING, SlateRewards
from recframe.server.served import ServedPolicy
from recframe.server.slates import Slate, decision_of
from recframe.serving.exploration import ExplorationConfig, Explorer
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question
from tests.rounds.conftest import ITEMS, NOW, People


@pytest.fixture(scope="module")
def policy(artefact):
    return recframe.load_policy(artefact)


def test_slates_of_the_time_are_asked_again_with_their_histories(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=4)
        slate = [ShownItem("1", 0.5), ShownItem("2", 0.25)]
        store.record_decision(RecordedDecision("slate", NOW + 350, "s", "p", "main", "other", slate, explored=True))
        # feedback that comes after the last recommendation counts
        store.record_feedback(RecordedFeedback("slate", "2", {"click": 1.0}, NOW + 9_000))
        found = fresh_slates(store, policy, policy, NOW + 199, NOW + 8_000, "click")
        log = store.log_frame()
    assert found.log.shown.shape == found.old.shape == (81, 2)
    assert (found.old == found.new).all()
    first = log.filter((log["timestamp"] > NOW + 199) & (log["position"] == 0))
    assert found.log.shown[:, 0].tolist() == [policy.data.catalog.ids.index(item) for item in first["item"]]
    assert found.log.propensities[:, 0].tolist() == first["propensity"].to_list()
    ids = policy.data.catalog.ids
    (row,) = np.flatnonzero(found.log.shown[:, 1] != NOTHING)
    assert found.log.shown[row].tolist() == [ids.index("1"), ids.index("2")]
    assert (found.log.rewards[row].tolist(), found.log.propensities[row].tolist()) == ([0.0, 1.0], [0.5, 0.25])
    assert found.log.rewards.sum() == log.filter(log["timestamp"] > NOW + 199)["click"].sum()
    assert found.log.num_items == ITEMS
    assert len(np.unique(found.log.people)) == 41
    same = (found.old == found.log.shown)[:, 0]
    assert same[~first["explored"].to_numpy()].all()


def restricted(policy, store, explorer, visits=240):
    """Requests with candidates, exclusions and rules, recorded as a server records them; clicks are at random."""
    draw, ids = np.random.default_rng(3), policy.data.catalog.ids
    decisions, feedback, questions = [], [], []
    for visit in range(visits):
        allowed = [ids[row] for row in draw.permutation(ITEMS)[:4]]
        rules = {"must_include": [allowed[0]]} if visit % 4 == 0 else {"exclude": [allowed[1]]} if visit % 4 == 1 else {}
        questions.append(Question(k=2, candidates=allowed, **rules))
    answers = policy.recommend_many(questions, explorer)
    for visit, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        slate = Slate(ServedPolicy("main", policy, explorer), question, answer)
        decision = replace(decision_of(slate, f"s{visit}", f"p{visit % 60}"), recommendation=f"r{visit}", time=NOW + visit)
        decisions.append(decision)
        if draw.random() < 0.5:
            feedback.append(RecordedFeedback(f"r{visit}", answer[0].id, {"click": 1.0}, NOW + visit))
    store.record(decisions, feedback)


@pytest.mark.parametrize("kind", ["boltzmann", "epsilon"])
def test_requests_with_candidates_and_rules_are_asked_again_as_they_were(policy, url, kind):
    explorer = Explorer(ExplorationConfig(kind, epsilon=0.4, temperature=0.5), 0)
    with FeedbackStore.open(url) as store:
        restricted(policy, store, explorer)
        found = fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")
        explored = store.asked_frame()["explored"].to_numpy()
    # none is left out, and what was not explored is shown again
    assert len(found.log) == 240
    assert found.log.drawn.all()
    assert ((found.old == found.log.shown).all(axis=1) == ~explored).all()
    assert 40 < explored.sum() < 200
    # the propensities are those of the policy's choices: the weights of each place have a mean of 1
    for place in SlateRewards(found.log, found.items, 0).judged(found.old):
        told = diagnose(place.weights, found.log.people)
        assert abs(told.mean_weight - 1) < 4 * told.mean_weight_error
    # which it would not have been for the best items of all
    free = np.array([[policy.data.catalog.ids.index(item) for item in policy.recommend(k=2).ids]] * 240)
    odd = [diagnose(place.weights, found.log.people) for place in SlateRewards(found.log, found.items, 0).judged(free)]
    assert odd[0].mean_weight < 1 - 4 * odd[0].mean_weight_error


def test_requests_whose_lists_are_gone_are_left_out(policy, url, caplog):
    caplog.set_level("INFO")
    with FeedbackStore.open(url) as store:
        restricted(policy, store, Explorer(ExplorationConfig("epsilon", epsilon=0.4), 0))
        rows = store.asked_frame().select("timestamp", "candidates", "exclude").rows()
        later = {name for time, *names in rows if time >= NOW + 100 for name in names} | {None}
        known = sum(later.issuperset(names) for _, *names in rows)
        assert 140 <= known < 180
        assert store.remove_lists(NOW + 100) > 0
        found = fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")
        assert len(found.log) == known
        assert f"{240 - known} of 240 recommendations are left out: their candidates or exclusions are gone" in caplog.text
        store.remove_lists(NOW + 600)
        with pytest.raises(UnlikeQuestions, match="the candidates and exclusions of all recommendations have been removed"):
            fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")


@pytest.mark.parametrize("slow", ["old", "new"])
def test_requests_whose_lists_are_removed_meanwhile_are_left_out(policy, url, monkeypatch, caplog, slow):
    """A server removes old lists every hour, between the questions of either policy."""
    caplog.set_level("INFO")
    monkeypatch.setattr("recframe.rounds.fresh.ASKED_AT_ONCE", 50)
    with FeedbackStore.open(url) as store:
        restricted(policy, store, Explorer(ExplorationConfig("epsilon", epsilon=0.4), 0))
        whole = fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")
        policies = {"old": policy, "new": policy} | {slow: Slow(policy, lambda: store.remove_lists(NOW + 100))}
        found = fresh_slates(store, policies["old"], policies["new"], NOW - 1, NOW + 600, "click")
    left = len(found.log)
    # nearly half of the requests have old lists, and the questions of the first block are asked before they are gone
    assert 140 <= left < 220
    assert f"{240 - left} of 240 recommendations are left out: their candidates or exclusions are gone" in caplog.text
    assert (found.old[-140:] == whole.old[-140:]).all()
    assert (found.log.shown[-140:] == whole.log.shown[-140:]).all()
    assert (found.log.rewards[-140:] == whole.log.rewards[-140:]).all()


def test_lists_of_requests_are_read_for_few_questions_at_once(policy, url, monkeypatch):
    explorer = Explorer(ExplorationConfig("epsilon", epsilon=0.4), 0)
    read, item_lists = [], FeedbackStore.item_lists

    def counted(store, names):
        read.append(len(set(names)))
        return item_lists(store, names)

    monkeypatch.setattr(FeedbackStore, "item_lists", counted)
    with FeedbackStore.open(url) as store:
        restricted(policy, store, explorer, visits=60)
        whole = fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")
        assert max(read) > 40
        read.clear()
        monkeypatch.setattr("recframe.rounds.fresh.ASKED_AT_ONCE", 7)
        in_blocks = fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")
    # candidates and exclusions of seven questions
    assert max(read) <= 14
    assert (in_blocks.old == whole.old).all()


def test_recommendations_from_before_items_were_added_are_asked_without_them(url, world_by_text):
    policy = recframe.load_policy(world_by_text)
    served = ServedPolicy("main", policy)
    twin = {"id": "new", "text": policy.data.catalog.texts[policy.data.catalog.ids.index(policy.recommend(k=1)[0].id)]}
    with FeedbackStore.open(url) as store:
        for number in range(2):
            if number:
                policy.add_items([twin])
                served.read_catalogue()
            for visit in range(3):
                question = Question(k=3)
                slate = Slate(served, question, policy.recommend_many([question])[0])
                store.record_decision(replace(decision_of(slate, f"s{visit}", f"p{visit}"), time=NOW + 10 * number + visit))
            store.record_catalogue(served.catalogue(["new"]))
        store.record_signals(["click"])
        old = recframe.load_policy(world_by_text)
        found = fresh_slates(store, old, recframe.load_policy(world_by_text), NOW - 1, NOW + 600, "click")
    assert old.version == policy.version
    assert (found.old == found.log.shown).all()
    new = old.data.catalog.ids.index("new")
    assert (found.old == new).any(axis=1).tolist() == [False] * 3 + [True] * 3


def test_recommendations_from_between_two_additions_are_left_out(url, world_by_text):
    served = ServedPolicy("main", recframe.load_policy(world_by_text))
    policy, versions = served.policy, []
    texts = dict(zip(policy.data.catalog.ids, policy.data.catalog.texts, strict=True))
    first, *others = (texts[item.id] for item in policy.recommend(k=3))
    # like the best items, and with scores of their own
    new_texts = [f"{first} {other}" for other in others]
    with FeedbackStore.open(url) as store:
        store.record_signals(["click"])
        for number in range(3):
            if number:
                policy.add_items([{"id": f"new-{number}", "text": new_texts[number - 1]}])
                served.read_catalogue()
            versions.append(policy.version)
            for visit in range(2):
                slate = Slate(served, Question(k=3), policy.recommend(k=3))
                store.record_decision(replace(decision_of(slate, f"s{visit}", f"p{visit}"), time=NOW + 10 * number + visit))
        store.record_catalogue(served.catalogue(["new-1", "new-2"]))
        old, new = (recframe.load_policy(world_by_text) for _ in range(2))
        found = fresh_slates(store, old, new, NOW - 1, NOW + 600, "click")
        # what was shown with one of the two is not compared with what is shown with both
        assert len(found.log) == 4
        assert (found.old == found.log.shown).all()
        with pytest.raises(UnlikeQuestions, match="all recommendations were made while other items had been added than there are now"):
            fresh_slates(store, old, new, NOW + 9, NOW + 15, "click")
    assert len({*versions, old.version}) == 3


def test_nothing_fresh_is_no_log_and_an_unknown_signal_is_refused(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=1)
        assert fresh_slates(store, policy, policy, NOW + 500, NOW + 600, "click") is None
        with pytest.raises(UnlikeQuestions, match="has no such signal; it has: click"):
            fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "purchase")


def test_rules_of_requests_of_which_the_store_does_not_know_are_noticed(policy, url):
    best = policy.recommend(k=1)[0].id
    other = next(item for item in policy.data.catalog.ids if item != best)
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=2, turns=1)
        for visit in range(40):
            shown = [ShownItem(other if visit % 2 else best, 0.9)]
            store.record_decision(RecordedDecision(f"r{visit}", NOW + 10 + visit, f"s{visit}", f"s{visit}", "main", policy.version, shown))
        with pytest.raises(UnlikeQuestions, match="showed something else than it shows now for the same request; of 20 of them, the store"):
            fresh_slates(store, policy, policy, NOW - 1, NOW + 600, "click")


class Like:
    """A policy like another one."""

    def __init__(self, policy):
        self._policy = policy

    def __getattr__(self, name):
        return getattr(self._policy, name)


class Slow(Like):
    """A policy after whose answers something has happened."""

    def __init__(self, policy, happens):
        super().__init__(policy)
        self._happens = happens

    def recommend_many(self, questions):
        answers = self._policy.recommend_many(questions)
        self._happens()
        return answers


class Silent(Like):
    """A policy without an answer to the questions of some rows."""

    def __init__(self, policy, rows):
        super().__init__(policy)
        self._rows = rows

    def recommend_many(self, questions):
        answers = self._policy.recommend_many(questions)
        return [QueryError("no answer") if row in self._rows else answer for row, answer in enumerate(answers)]


def test_a_question_that_only_the_new_policy_cannot_answer_is_not_left_out(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=4)
        with pytest.raises(UnlikeQuestions, match="the new policy cannot answer 1 of 160 questions, which the served one answers"):
            fresh_slates(store, policy, Silent(policy, {7}), NOW - 1, NOW + 600, "click")
        # one that neither answers says nothing of the two, and one that only the old one cannot answer is no advantage of it
        for old in (Silent(policy, {7}), Silent(policy, {7, 8})):
            found = fresh_slates(store, old, Silent(policy, {7}), NOW - 1, NOW + 600, "click")
            assert len(found.log) == 160 - len(old._rows)
