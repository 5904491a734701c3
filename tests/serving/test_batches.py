"""Many questions at once: each gets the answer that it would get alone."""

from __future__ import annotations

import json
import random

import pytest
import torch

import recframe
from recframe.serving import QueryError, Question
from tests.serving.conftest import FILMS, PEOPLE


def made_up_questions(number: int, rng: random.Random) -> list[Question]:
    """Questions with histories of every length, some with candidates, exclusions, another k, and a user."""
    films = [str(film) for film in range(FILMS)]
    return [
        Question(
            history=[(film, {"click": 1.0, "rating": rng.randint(1, 5)}) for film in rng.choices(films, k=rng.randrange(12))],
            user=rng.choice([None, f"p{rng.randrange(PEOPLE)}"]),
            k=rng.choice([3, 5]),
            candidates=rng.choice([None, rng.sample(films, rng.randint(1, 9)), []]),
            exclude=rng.choice([None, [], rng.sample(films, 2)]),
        )
        for _ in range(number)
    ]


def require_equal(found, expected):
    assert found.ids == expected.ids
    assert [item.score for item in found] == pytest.approx([item.score for item in expected], rel=1e-4, abs=1e-6)


def test_a_batch_has_the_answers_of_its_questions_alone(folder):
    policy = recframe.load_policy(folder)
    questions = made_up_questions(300, random.Random(0))
    for found, question in zip(policy.recommend_many(questions), questions, strict=True):
        require_equal(found, policy.recommend_many([question])[0])


def test_texts_of_new_people_are_read_in_a_batch_too(world):
    policy = recframe.load_policy(world)
    people = policy.data.users.profiles.texts
    rng = random.Random(1)
    said = [None, "Something short, please.", policy.data.contexts.texts[0], "More of the same."]
    questions = [
        Question(
            [f"item-{rng.randrange(40)}"], profile=rng.choice([None, *people[:5], "A reader of long books."]), context=rng.choice(said)
        )
        for _ in range(40)
    ]
    answers = policy.recommend_many(questions)
    for found, question in zip(answers, questions, strict=True):
        require_equal(found, policy.recommend_many([question])[0])
    assert len({tuple(item.score for item in answer) for answer in answers}) > 10


def test_a_bad_question_is_its_own_error(folder):
    policy = recframe.load_policy(folder)
    good, bad = Question(["1"], k=3), Question(["nope"])
    answers = policy.recommend_many([good, bad, good, Question(k=0)])
    assert isinstance(answers[1], QueryError)
    assert isinstance(answers[3], QueryError)
    assert answers[0].ids == answers[2].ids == policy.recommend(["1"], k=3).ids
    assert policy.recommend_many([]) == []


def test_without_exploration_every_place_is_certain(folder):
    answer = recframe.load_policy(folder).recommend(["1"], k=4)
    assert not answer.explored
    assert [item.propensity for item in answer] == [1.0] * 4


def test_items_are_projected_once_for_as_long_as_no_weight_changes(folder):
    policy = recframe.load_policy(folder)
    projections = []
    project = policy.agent.project
    policy.agent.project = lambda items: projections.append(1) or project(items)
    before = [policy.recommend([str(film)], k=3) for film in range(4)]
    assert len(projections) == 1
    with torch.no_grad():
        for parameter in policy.agent.parameters():
            parameter.mul_(-1.5)
    assert policy.recommend(["0"], k=3) != before[0]
    assert len(projections) == 2


def test_a_policy_has_the_version_of_its_run_or_artefact(folder, tmp_path):
    manifest = recframe.export(folder, tmp_path / "artefact")
    assert recframe.load_policy(tmp_path / "artefact").version == manifest.version
    key = json.loads((folder / "identity.json").read_text())["key"]
    assert recframe.load_policy(folder).version == key[:12]
