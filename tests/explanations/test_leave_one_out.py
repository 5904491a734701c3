"""Leave-one-out is exact: effects are differences of what the policy itself says without each part."""

from __future__ import annotations

import json
import re

import pytest
import torch

import recframe
from recframe.explanations import explain, explain_all
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question

HISTORY = ["item-3", ("item-14", {"click": 0.0}), "item-5", "item-9"]


def score_of(policy, item: str, question: Question) -> float:
    """The policy's score, by the way that anybody asks."""
    every = policy.recommend_many([Question(**{**vars(question), "k": len(policy.data.catalog)})])[0]
    return next(found.score for found in every if found.id == item)


def lead_of(policy, item: str, question: Question) -> float:
    scores = {found.id: found.score for found in policy.recommend_many([Question(**{**vars(question), "k": 40})])[0]}
    return scores[item] - float(torch.tensor(list(scores.values())).median())


def test_effects_are_what_the_policy_says_without_each_part(world):
    question = Question(HISTORY, profile="A reader of long books about war.", context="Something short, please.")
    about = explain(world, question)
    assert about.id == world.recommend_many([question])[0][0].id
    assert about.score == pytest.approx(score_of(world, about.id, question), abs=1e-5)
    whole = lead_of(world, about.id, question)
    assert about.lead == pytest.approx(whole, abs=1e-5)
    assert [part.id for part in about.history] == ["item-3", "item-14", "item-5", "item-9"]
    for place, part in enumerate(about.history):
        without = Question(HISTORY[:place] + HISTORY[place + 1 :], profile=question.profile, context=question.context)
        assert part.effect == pytest.approx(whole - lead_of(world, about.id, without), abs=1e-5)
        assert part.score_without == pytest.approx(score_of(world, about.id, without), abs=1e-5)
        ranked = world.recommend_many([Question(**{**vars(without), "k": 40})])[0].ids
        assert part.place_without == ranked.index(about.id) + 1
    texts = {part.part: part.effect for part in about.person}
    assert texts["profile"] == pytest.approx(whole - lead_of(world, about.id, Question(HISTORY, context=question.context)), abs=1e-5)
    assert texts["context"] == pytest.approx(whole - lead_of(world, about.id, Question(HISTORY, profile=question.profile)), abs=1e-5)
    assert about.lead_unknown == pytest.approx(lead_of(world, about.id, Question()), abs=1e-5)
    only_history = Question((), profile=question.profile, context=question.context)
    assert about.whole_history == pytest.approx(whole - lead_of(world, about.id, only_history), abs=1e-5)


def test_a_signal_is_left_out_by_itself(world):
    question = Question([("item-3", {"click": 1.0})])
    (signal,) = explain(world, question).signals
    item = explain(world, question).id
    without = Question([("item-3", {"click": 0.0})])
    assert (signal.signal, signal.value, signal.id) == ("click", 1.0, "item-3")
    assert signal.effect == pytest.approx(lead_of(world, item, question) - lead_of(world, item, without), abs=1e-5)


def test_of_a_long_history_only_what_the_policy_reads_is_told_apart(world):
    length = world.agent.spec.history_length
    history = [f"item-{number % 40}" for number in range(length + 7)]
    about = explain(world, Question(history), words="none")
    assert [part.id for part in about.history] == history[-length:]
    assert any(f"the last {length} items" in note for note in about.notes)


def test_the_counterfactual_is_what_would_have_been_shown(world):
    found = 0
    for first in range(20):
        question = Question([f"item-{first}", f"item-{first + 7}", f"item-{first + 15}"], k=3)
        about = explain(world, question, words="none")
        changed = []
        for place in range(3):
            history = [entry for at, entry in enumerate(question.history) if at != place]
            changed.append(world.recommend_many([Question(history, k=3)])[0][0].id)
        if about.counterfactual is None:
            assert set(changed) == {about.id}
            continue
        found += 1
        place = list(question.history).index(about.counterfactual.without.id)
        assert about.counterfactual.id == changed[place] != about.id
    assert found >= 3


def test_all_items_of_an_answer_are_explained_as_each_alone(world):
    question = Question(HISTORY, profile="A reader of long books.", k=4)
    shown = world.recommend_many([question])[0]
    together = explain_all(world, question, shown)
    assert [about.id for about in together] == shown.ids
    for place, about in enumerate(together, 1):
        alone = explain(world, question, about.id)
        assert about.decision.place == place
        assert [part.effect for part in about.history] == pytest.approx([part.effect for part in alone.history], abs=1e-5)
        for words, other in zip(about.words, alone.words, strict=True):
            assert [word.effect for word in words.words] == pytest.approx([word.effect for word in other.words], abs=1e-5)


def test_policies_without_scores_are_explained_by_places(policy_of_log, monkeypatch):
    policy = policy_of_log("item_knn")
    monkeypatch.setattr(type(policy.agent), "scores_of_items", lambda *_: None)
    question = Question(["3", "4", "7"], k=5)
    about = explain(policy, question)
    assert (about.measure, about.score, about.lead) == ("place", None, None)
    for part, history in zip(about.history, (["4", "7"], ["3", "7"], ["3", "4"]), strict=True):
        ranked = policy.recommend(history, k=20, exclude=["3", "4", "7"]).ids
        assert part.place_without == ranked.index(about.id) + 1
        assert part.effect == part.place_without - about.place
    assert "the policy does not read it" in about.words[-1].note


@pytest.mark.parametrize(("agent", "said"), [("popular", "for everyone"), ("random", "draws what it shows at random")])
def test_what_cannot_be_a_reason_is_not_called_one(policy_of_log, agent, said):
    about = explain(policy_of_log(agent), history=["3", "4"])
    assert said in about.sentence
    assert about.counterfactual is None
    if agent == "random":
        assert about.history == ()


def test_agents_that_only_show_slates_are_explained(run_in_world):
    policy = recframe.load_policy(run_in_world("encoder=tfidf", "agent.learning_starts=32"))
    policy.ranks = policy._answerer.ranks = False
    about = explain(policy, history=["item-3", "item-9"], profile="A reader of long books.")
    assert about.measure == "place"
    assert about.decision.place == 1
    assert {part.effect for part in about.history} <= {0.0, 1.0}


def test_an_explanation_is_json_text_and_html(world):
    about = explain(world, Question(HISTORY, profile="<b>war</b> & peace " * 30, context="Short."))
    assert json.loads(json.dumps(about.as_dict()))["history"][1]["id"] == "item-14"
    assert max(map(len, str(about).splitlines())) <= 80
    assert about.sentence in " ".join(str(about).split())
    html = about._repr_html_()
    assert "<table>" in html
    assert "<b>war" not in html


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"item": "nope"}, "item: no item of the run's data has the id 'nope'"),
        ({"words": "gradients"}, "words: 'gradients' is not one of auto, leave_one_out, none"),
        ({"histroy": []}, "explain: a question got an unexpected keyword argument 'histroy'"),
        ({"question": Question(), "k": 3}, "explain: a question and k are given; right is one of them"),
        ({"candidates": []}, "explain: nothing may be recommended"),
    ],
)
def test_mistakes_are_one_line(world, asked, message):
    with pytest.raises(QueryError, match="^" + re.escape(message)):
        explain(world, **asked)


def test_an_item_that_may_not_be_shown_is_explained_and_said_to_be_excluded(world):
    about = explain(world, Question(["item-3"], exclude=["item-9"]), "item-9")
    assert "may not be shown: it is excluded" in about.sentence
    assert about.place is None
    assert about.lead is not None
