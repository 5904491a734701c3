"""Rules of a slate: what must be on it, and how many of a group may be, from Python, in a file of questions, and on the command line."""

from __future__ import annotations

import json

import pytest

import recframe
from recframe.errors import UserError
from recframe.serving import Question
from tests.serving.conftest import FILMS


@pytest.fixture(scope="module")
def policy(folder):
    return recframe.load_policy(folder)


@pytest.fixture(scope="module")
def reader(world):
    """A policy over items with lists of topics."""
    return recframe.load_policy(world)


def test_what_must_be_on_the_slate_has_its_place_or_the_last(policy):
    ranked = policy.recommend(["1"], k=FILMS).ids
    assert policy.recommend(["1"], k=4, must_include=[ranked[2]]).ids == ranked[:4]
    assert policy.recommend(["1"], k=4, must_include=[ranked[12], ranked[9]]).ids == [*ranked[:2], ranked[9], ranked[12]]
    assert policy.recommend(["1"], k=1, must_include=[ranked[-1]]).ids == ranked[-1:]


def test_an_item_of_the_history_that_must_be_shown_is_shown(policy):
    assert policy.recommend(["1", "2"], k=3, must_include=["2"]).ids.count("2") == 1


def test_no_more_than_so_many_items_of_a_group_are_shown(policy):
    ranked = policy.recommend(["1"], k=FILMS).ids
    assert policy.recommend(["1"], k=10, at_most={"genres": 2}).ids == ranked[:2]
    assert policy.recommend(["1"], k=10, at_most={"genres": 2}, must_include=[ranked[7]]).ids == [ranked[0], ranked[7]]
    assert policy.recommend(["1"], k=10, at_most={"title": 1}).ids == ranked[:10]


def test_an_item_with_several_values_counts_for_each(reader):
    topics = dict(zip(reader.data.catalog.ids, reader.data.catalog.attributes["topics"].to_list(), strict=True))
    ranked = reader.recommend(["item-1"], k=40).ids
    expected, counts = [], {}
    for item in ranked:
        if all(counts.get(topic, 0) < 2 for topic in topics[item]):
            expected.append(item)
            counts |= {topic: counts.get(topic, 0) + 1 for topic in topics[item]}
    assert 2 < len(expected) < 30
    assert reader.recommend(["item-1"], k=40, at_most={"topics": 2}).ids == expected


def test_rules_hold_within_candidates_and_exclusions(policy):
    rules = {"candidates": ["3", "4", "5", "6"], "exclude": ["4"], "must_include": ["6"]}
    slate = policy.recommend(["1"], k=2, **rules).ids
    assert slate[1] == "6" or slate[0] == "6"
    assert set(slate) < {"3", "5", "6"}


def test_questions_with_and_without_rules_are_answered_together(policy):
    questions = [Question(["1"], k=3), Question(["1"], k=3, must_include=["9"]), Question(["2"], k=3, at_most={"genres": 1})]
    together = [answer.ids for answer in policy.recommend_many(questions)]
    assert together == [policy.recommend_many([question])[0].ids for question in questions]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"must_include": ["nope"]}, "must_include: no item of the run's data has the id 'nope'"),
        ({"must_include": ["1", "2"], "k": 1}, "must_include: 2 items do not fit on a slate of k = 1"),
        ({"must_include": ["4"], "exclude": ["4"]}, "must_include: item '4' is excluded, too; leave it out of one of them"),
        ({"must_include": ["4"], "candidates": ["1"]}, "must_include: item '4' is none of the candidates; add it to them"),
        (
            {"must_include": ["4", "5"], "at_most": {"genres": 1}},
            "must_include: 2 of its items have genres = 'Drama', but at_most allows 1",
        ),
        ({"must_include": "4"}, "must_include: it is a list of item ids, not the one text '4'"),
        ({"at_most": {"genre": 1}}, "at_most: the items have no attribute 'genre'; did you mean 'genres'?"),
        ({"at_most": {"genres": 0}}, "at_most: genres = 0 is not allowed; it must be a whole number >= 1"),
        ({"at_most": {"genres": True}}, "at_most: genres = True is not allowed"),
        ({"at_most": ["genres"]}, "at_most: a column of the items' attributes and a number is right"),
    ],
)
def test_rules_that_cannot_be_kept_are_one_clear_line(policy, question, message):
    with pytest.raises(UserError) as caught:
        policy.recommend(["7"], **question)
    assert str(caught.value).startswith(message)
    assert len(caught.value._render_traceback_()) == 1


def test_rules_on_the_command_line_and_in_a_file_of_questions(warm_recframe, folder, policy, tmp_path):
    expected = policy.recommend(["3"], k=5, must_include=["9"], at_most={"genres": 3, "title": 1}).ids
    rules = ["--must-include", "9", "--at-most", "genres=3", "--at-most", "title=1"]
    asked = warm_recframe("recommend", str(folder), "--history", "3", *rules, "-k", "5")
    assert [line.split()[1] for line in asked.stdout.splitlines()] == expected
    question = {"history": ["3"], "k": 5, "must_include": ["9"], "at_most": {"genres": 3, "title": 1}}
    (tmp_path / "asked.jsonl").write_text(json.dumps(question) + "\n")
    answered = warm_recframe("recommend", str(folder), "--questions", "asked.jsonl")
    assert [item["id"] for item in json.loads(answered.stdout)["items"]] == expected
    wrong = warm_recframe("recommend", str(folder), "--at-most", "genres")
    assert wrong.returncode == 2
    assert "recframe: --at-most: 'genres' is not allowed; a column and a number are right, as in genre=2" in wrong.stderr
