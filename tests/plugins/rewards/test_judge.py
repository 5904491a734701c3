"""The judge reward: what it is asked, what its answers are worth, and whether its grades agree with real ratings."""

import json
import logging
import re

import pytest
import torch

from recframe.components import Kind, contradictions
from recframe.interfaces import PAD, DataError
from recframe.llm import ChatConfig
from recframe.plugin_loader import registry
from recframe.testing import check_component, toy_data, toy_spec, toy_transition
from recframe_plugins.rewards.judge.config import JudgeConfig
from recframe_plugins.rewards.judge.judge import Judge
from tests.scripted_chat import coin, scripted_chat, topic_of

MARK = re.compile(r'"mark": "(\w+)"')
NOW = re.compile(r"Recommended now: (.+)")


def graded(question, grade):
    return json.dumps({"mark": MARK.search(question)[1], "grade": grade})


def knowing(question):
    """Five for what is about the person's topic, else one."""
    return graded(question, 5 if topic_of(question) in NOW.search(question)[1].lower() else 1)


@pytest.fixture(scope="module")
def toy():
    return toy_data()


@pytest.fixture
def endpoint():
    with scripted_chat(knowing) as server:
        yield server


@pytest.fixture
def make(endpoint, tmp_path, toy):
    """`make(judges="slates")`: a prepared judge that asks the endpoint; keywords are options."""

    def build(data=None, **options):
        judge = Judge(JudgeConfig(llm=ChatConfig(cache=str(tmp_path / "answers"), **endpoint.settings), **options))
        judge.prepare(data or toy)
        return judge

    return build


def transition_of(toy, slate_size=1, seed=0):
    spec = toy_spec(toy, slate_size=slate_size)
    return toy_transition(spec, toy, torch.Generator().manual_seed(seed), users=5)


def test_a_grade_is_worth_its_place_between_the_worst_and_the_best(make, endpoint, toy):
    transition = transition_of(toy, slate_size=2)
    grades = {}

    def grade(question):
        shown = NOW.search(question)[1]
        return graded(question, grades.setdefault(shown, 1 + len(grades) % 4))

    endpoint.answer = grade
    values = make(grades=4)(transition, toy.catalog)
    for row, items in enumerate(transition.slate.tolist()):
        for place, item in enumerate(items):
            title = toy.catalog.titles[item]
            (expected,) = [worth for shown, worth in grades.items() if shown.startswith(f"{title}:")]
            assert values[row, place].item() == pytest.approx((expected - 1) / 3)


def test_a_slate_has_one_grade_which_its_items_share(make, endpoint, toy):
    transition = transition_of(toy, slate_size=3)
    endpoint.answer = lambda question: graded(question, 5)
    values = make(judges="slates")(transition, toy.catalog)
    torch.testing.assert_close(values, torch.full((5, 3), 1 / 3))
    assert len(endpoint.questions) == 5
    hidden = transition.clone()
    hidden.slate[:, 1] = PAD
    torch.testing.assert_close(make(judges="slates")(hidden, toy.catalog), torch.tensor([[0.5, 0.0, 0.5]] * 5))
    del endpoint.questions[5:]
    for item in transition.slate[0].tolist():
        assert sum(f"{toy.catalog.titles[item]}:" in question.partition("together:")[2] for question in endpoint.questions) >= 1


def test_the_judge_reads_rubric_profile_and_history_and_not_the_response(make, endpoint, toy):
    transition = transition_of(toy)
    make(rubric="Only jazz counts.", history=3)(transition, toy.catalog)
    user = transition.observation.user.tolist()
    for row in range(5):
        (question,) = [one for one in endpoint.questions if f"The person: {toy.users.profiles.texts[user[row]]}" in one][:1]
        assert "Rubric: Only jazz counts." in question
    items = transition.observation.history_items[4, -3:].tolist()
    clicks, ratings = transition.observation.history_feedback[4, -3:].unbind(dim=1)
    told = "; ".join(
        f"{toy.catalog.titles[i]} (click {c:g}, rating {r:g})" for i, c, r in zip(items, clicks.tolist(), ratings.tolist(), strict=True)
    )
    assert PAD not in items
    assert any(f"Before: {told}." in question for question in endpoint.questions)
    changed = transition.clone()
    changed.response.signals["rating"] = changed.response.signals["rating"] * 0.0 + 3.0
    changed.next_observation.history_feedback[:, -1, 1] = 3.0
    before = len(endpoint.questions)
    make(rubric="Only jazz counts.", history=3)(changed, toy.catalog)
    assert len(endpoint.questions) == before


def test_minus_zero_is_told_as_zero(make, endpoint, toy):
    transition = transition_of(toy)
    transition.observation.history_feedback = torch.full_like(transition.observation.history_feedback, -0.0)
    make(history=3)(transition, toy.catalog)
    assert any("(click 0, rating 0)" in question for question in endpoint.questions)
    assert not any("-0" in question for question in endpoint.questions)


def test_signals_in_another_order_are_refused_and_not_mistaken(make, toy):
    transition = transition_of(toy)
    transition.next_observation.history_feedback = transition.next_observation.history_feedback.flip(-1)
    with pytest.raises(DataError, match="in the order click, rating"):
        make()(transition, toy.catalog)


def other_mark(question):
    return json.dumps({"mark": "000000", "grade": 5})


@pytest.mark.parametrize("answer", [lambda q: "five", lambda q: graded(q, 6), lambda q: graded(q, True), lambda q: "[5]", other_mark])
def test_an_answer_that_cannot_be_used_is_worth_a_half_and_told_in_one_line(make, endpoint, toy, answer, caplog):
    endpoint.answer = answer
    with caplog.at_level(logging.WARNING):
        assert (make()(transition_of(toy), toy.catalog) == 0.5).all()
    (line,) = [record.getMessage() for record in caplog.records if "could not be used" in record.getMessage()]
    assert line.startswith("5 of 5 answers of the language model could not be used (the last: ")
    assert line.endswith("such a recommendation is worth 0.5")


def test_with_probabilities_the_worth_is_the_expected_grade_and_half_where_there_is_none(make, endpoint, toy):
    endpoint.answer = lambda question: "4"
    assert (make(asking="probabilities")(transition_of(toy), toy.catalog) == 0.75).all()
    endpoint.answer = lambda question: "a fine film"
    assert (make(asking="probabilities", rubric="Another.")(transition_of(toy), toy.catalog) == 0.5).all()


def test_calibration_tells_a_judge_that_knows_from_one_that_tosses_a_coin(make, endpoint, toy):
    knows = make()
    report = knows.report()
    assert report["judge/num_ratings"] == 240.0
    assert report["judge/auc_grade"] == 1.0
    assert report["judge/calibration_error"] == 0.0
    assert knows.caveats() == ()
    endpoint.answer = lambda question: graded(question, 5 if coin(question) else 1)
    tosses = make(rubric="A fair coin.")
    assert tosses.report()["judge/auc_grade_low"] < 0.5 < tosses.report()["judge/auc_grade_high"]
    assert tosses.report()["judge/calibration_error_low"] > 0.1
    assert tosses.report()["judge/unusable_answers_high"] == 0.0
    (line,) = tosses.caveats()
    assert line.startswith("the judge's grades are not told from chance (AUC 0.")
    assert report["judge/auc_item_mean"] == tosses.report()["judge/auc_item_mean"]


def test_the_judge_is_not_told_the_ratings_that_it_is_compared_with(make, endpoint, toy):
    make(history=20).report()
    assert len(endpoint.questions) == 240
    for question in endpoint.questions:
        before, _, shown = question.partition("Recommended now: ")
        assert f"{shown.partition(':')[0]} (rating" not in before
        assert "of 5)" in before


def test_without_real_ratings_nothing_is_said_to_be_known(make, toy, endpoint):
    judge = make(data=toy._replace(interactions=None))
    assert judge.report() == {}
    assert judge.caveats() == ("how well the judge's grades agree with real ratings was not measured: the data has too few real ratings",)
    (line,) = make(card_people=0).caveats()
    assert line.endswith("reward.judge.card_people is 0")
    assert endpoint.questions == []


@pytest.mark.parametrize("options", [{}, {"judges": "slates"}], ids=str)
def test_the_reward_keeps_the_contract(endpoint, tmp_path, toy, options):
    endpoint.answer = lambda question: graded(question, 3)
    chat = ChatConfig(cache=str(tmp_path), **endpoint.settings)
    check_component(registry().get(Kind.REWARD, "judge"), JudgeConfig(llm=chat, **options), toy)


def test_the_language_models_rules_are_those_of_the_reward():
    assert contradictions(JudgeConfig(llm=ChatConfig(api_key_variable="KEY"))) == [
        "reward.judge.llm.api_key_variable is given, but reward.judge.llm.base_url is not: a model that is loaded here needs no key"
    ]
