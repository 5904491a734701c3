"""What the gate reads of a store: the first places, the questions asked again, and what speaks against them."""

from __future__ import annotations

import numpy as np
import pytest

import recframe
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem
from recframe.feedback.store import FeedbackStore
from recframe.rounds.fresh import UnlikeQuestions, fresh_decisions
from recframe.serving.query_error import QueryError
from tests.rounds.conftest import ITEMS, NOW, People


@pytest.fixture(scope="module")
def policy(artefact):
    return recframe.load_policy(artefact)


def test_first_places_of_the_time_are_asked_again_with_their_histories(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=4)
        slate = [ShownItem("1", 0.5), ShownItem("2", 0.5)]
        store.record_decision(RecordedDecision("slate", NOW + 350, "s", "p", "main", "other", slate, explored=True))
        # feedback that comes after the last recommendation counts
        store.record_feedback(RecordedFeedback("slate", "1", {"click": 1.0}, NOW + 9_000))
        found = fresh_decisions(store, policy, policy, NOW + 199, NOW + 8_000, "click")
        log = store.log_frame()
    assert len(found.log) == 81
    assert (found.old == found.new).all()
    greedy = log.filter((log["timestamp"] > NOW + 199) & (log["position"] == 0))
    assert found.log.actions.tolist() == [policy.data.catalog.ids.index(item) for item in greedy["item"]]
    assert found.log.propensities.tolist() == greedy["propensity"].to_list()
    assert found.log.rewards.sum() == greedy["click"].sum()
    assert found.log.num_items == ITEMS
    assert len(np.unique(found.log.people)) == 41
    same = found.old == found.log.actions
    assert same[~greedy["explored"].to_numpy()].all()


def test_nothing_fresh_is_no_log_and_an_unknown_signal_is_refused(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=1)
        assert fresh_decisions(store, policy, policy, NOW + 500, NOW + 600, "click") is None
        with pytest.raises(UnlikeQuestions, match="has no such signal; it has: click"):
            fresh_decisions(store, policy, policy, NOW - 1, NOW + 600, "purchase")


def test_rules_of_requests_that_the_store_does_not_have_are_noticed(policy, url):
    best = policy.recommend(k=1)[0].id
    other = next(item for item in policy.data.catalog.ids if item != best)
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=2, turns=1)
        for visit in range(40):
            shown = [ShownItem(other if visit % 2 else best, 0.9)]
            store.record_decision(RecordedDecision(f"r{visit}", NOW + 10 + visit, f"s{visit}", f"s{visit}", "main", policy.version, shown))
        with pytest.raises(UnlikeQuestions, match="showed something else than what it puts first"):
            fresh_decisions(store, policy, policy, NOW - 1, NOW + 600, "click")


class Silent:
    """A policy without an answer to the questions of some rows."""

    def __init__(self, policy, rows):
        self._policy, self._rows = policy, rows

    def __getattr__(self, name):
        return getattr(self._policy, name)

    def recommend_many(self, questions):
        answers = self._policy.recommend_many(questions)
        return [QueryError("no answer") if row in self._rows else answer for row, answer in enumerate(answers)]


def test_a_question_that_only_the_new_policy_cannot_answer_is_not_left_out(policy, url):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(policy, store, seed=1, people=40, turns=4)
        with pytest.raises(UnlikeQuestions, match="the new policy cannot answer 1 of 160 questions, which the served one answers"):
            fresh_decisions(store, policy, Silent(policy, {7}), NOW - 1, NOW + 600, "click")
        # one that neither answers says nothing of the two, and one that only the old one cannot answer is no advantage of it
        for old in (Silent(policy, {7}), Silent(policy, {7, 8})):
            found = fresh_decisions(store, old, Silent(policy, {7}), NOW - 1, NOW + 600, "click")
            assert len(found.log) == 160 - len(old._rows)
