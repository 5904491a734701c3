"""A trained policy out of its run's folder."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import recframe
from recframe.config import validate
from recframe.errors import UserError
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.interfaces import PAD, independent_copy
from recframe.runner.trained import trained_agent
from recframe.serving import LoadedPolicy, RankedItem, RankedItems
from recframe.serving.question import Question
from recframe.tracking import RunFolder
from tests.serving.conftest import FILMS, PEOPLE


@pytest.fixture(scope="module")
def policy(folder) -> LoadedPolicy:
    return recframe.load_policy(folder)


def history_of(person: int) -> list:
    """What a person did before the test, with the signals of the run."""
    films = [(person + step) % FILMS for step in range(5)]
    return [(str(film), {"click": 1.0, "rating": 1.0 + film % 5}) for film in films]


def test_it_recommends_what_the_run_ranks_for_a_held_out_user(folder, policy):
    with RunFolder.open_to_read(folder) as opened:
        cfg = validate(opened.read_config())
    agent, parts, *_ = trained_agent(folder, cfg, other_data=False, remedy="")
    users = parts.data.users.ids
    (queries,) = parts.log.test.batches(PEOPLE, agent.spec.history_length, agent.spec.signals, cfg.evaluation.exclude_seen)
    with AgentPolicy(agent) as ranker:
        ranked = ranker.rank(queries.observation, 5).tolist()
    for row, user in zip(ranked, queries.observation.user.tolist(), strict=True):
        person = users[user]
        recommended = policy.recommend(history_of(int(person[1:])), user=person, k=5)
        assert recommended.ids == [parts.data.catalog.ids[item] for item in row if item != PAD]
        scores = [item.score for item in recommended]
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) > 1
        assert [item.title for item in recommended] == [parts.data.catalog.titles[item] for item in row if item != PAD]


def test_the_same_question_gets_the_same_answer_and_another_another(policy):
    assert policy.recommend(["1", "2"]) == policy.recommend([1, 2])
    assert len({tuple(policy.recommend([str(film)], k=3).ids) for film in range(FILMS)}) > 1


def test_items_of_the_history_are_left_out_as_in_the_run_unless_told_otherwise(policy):
    assert len(policy.recommend(["1", "2"], k=FILMS)) == FILMS - 2
    assert len(policy.recommend(["1", "2"], k=FILMS, exclude=[])) == FILMS
    assert set(policy.recommend(["1"], k=FILMS, exclude=["5"]).ids) == {str(film) for film in range(FILMS)} - {"5"}


def test_only_candidates_are_recommended(policy):
    assert set(policy.recommend(["1"], candidates=["1", "4", "7"]).ids) == {"4", "7"}
    assert policy.recommend(["1"], candidates=[]) == []


def test_more_items_than_there_are_and_an_empty_history(policy):
    assert len(policy.recommend(k=1_000)) == FILMS


def test_a_candidate_that_is_listed_twice_is_recommended_once_and_makes_no_room_for_others(policy):
    assert policy.recommend(["1"], candidates=["3", "3", "4"], k=5) == policy.recommend(["1"], candidates=["3", "4"], k=5)


def test_arrays_tensors_and_iterators_are_lists_of_items(policy):
    as_list = policy.recommend(["1", "2"], candidates=["3", "4", "5"], exclude=["4"], k=5)
    assert policy.recommend(torch.tensor([1, 2]), candidates=np.array([3, 4, 5]), exclude=np.array([4]), k=np.int64(5)) == as_list
    assert policy.recommend((str(film) for film in (1, 2)), candidates=iter(["3", "4", "5"]), exclude={"4"}, k=5) == as_list
    assert not {"1", "2"} & set(policy.recommend(iter(["1", "2"]), k=FILMS).ids)


def test_recommendations_show_as_a_table(policy):
    recommended = policy.recommend(["1"], k=2)
    assert isinstance(recommended, RankedItems)
    assert str(recommended).splitlines()[0].startswith(f"1  {recommended[0].id}  <Film>")
    assert recommended._repr_html_().count("&lt;Film&gt;") == 2
    assert "score" in RankedItems([RankedItem("1", "One", 0.5)])._repr_html_()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"history": ["1", "nope", "neither"]}, r"history: no item .* the id 'nope' \(nor 1 others of the list\); "),
        ({"history": "12"}, "history: it is a list of item ids, not the one text '12'"),
        ({"history": [("1", {"clicks": 1.0})]}, "history: the run has no signal 'clicks'; it has: click, rating"),
        ({"candidates": ["200"]}, "candidates: no item of the run's data has the id '200'; ids are such as '0'"),
        ({"exclude": ["x"]}, "exclude: no item of the run's data has the id 'x'; ids are such as '0'"),
        ({"user": "p300"}, "user: no user of the run's data has the id 'p300'; did you mean '"),
        ({"profile": "likes films"}, "profile: the people of this run have none; leave it out"),
        ({"user": "p3", "profile": "likes films"}, "profile: that of a user of the data is known; leave it out, or leave out user"),
        ({"profile": 3}, "profile: it is a text, not a int"),
        ({"context": "hello"}, "context: visits of this run come with no text; leave it out"),
        ({"k": 0}, "k: 0 is not allowed; it must be a whole number >= 1"),
        ({"k": 2.5}, "k: 2.5 is not allowed; it must be a whole number >= 1"),
        ({"k": "3"}, "k: '3' is not allowed; it must be a whole number >= 1"),
        ({"history": None}, "history: it is a list of item ids, not a NoneType"),
        ({"history": {"1": {"click": 1.0}}}, "history: it is a list of item ids, not a dict"),
        ({"history": [("1", 3.0)]}, r"history: \('1', 3.0\) is not an entry; an id is right, or an id with its signals as in "),
        ({"history": [["1", {"click": 1.0}]]}, "is not an entry"),
        ({"history": [("1", {"click": "yes"})]}, "history: the signal 'click' is 'yes'; a finite number is right"),
        ({"history": [("1", {"rating": float("nan")})]}, "history: the signal 'rating' is nan; a finite number is right"),
        ({"candidates": 3}, "candidates: it is a list of item ids, not a int"),
    ],
)
def test_what_the_data_does_not_have_is_one_clear_line(policy, question, message):
    with pytest.raises(UserError, match=message) as caught:
        policy.recommend(**question)
    assert len(caught.value._render_traceback_()) == 1


def test_a_copy_gives_the_same_answers_and_does_not_wait(world):
    policy = recframe.load_policy(world)
    twin = policy.copy()
    assert twin.version == policy.version
    for asked in ({}, {"history": ["item-3"]}, {"profile": "a new reader of novels"}):
        assert twin.recommend(k=5, **asked) == policy.recommend(k=5, **asked)
    alone = policy.recommend(profile="reads about whales", k=5)
    # while one of them reads a new text for a question, the other answers another one
    with twin.inspected(Question(profile="likes trains"), []) as (query, *_), twin.new_texts.readable([query.texts]):
        assert policy.recommend(profile="reads about whales", k=5) == alone
        with pytest.raises(UserError, match="no item of the run's data"):
            policy.recommend(history=["none"])


def test_questions_are_answered_while_the_policy_is_copied(policy, monkeypatch):
    one, found = policy.copy(), []
    expected = one.recommend(k=3)

    class AsksMeanwhile:
        def __deepcopy__(self, memo):
            asking = threading.Thread(target=lambda: found.append(one.recommend(k=3)), daemon=True)
            asking.start()
            asking.join(10)
            return self

    def copied(*given):
        other = independent_copy(*given)
        # as if it had been copied in the middle of an answer that draws
        other.generator.manual_seed(123456)
        return other

    one.agent.slow = AsksMeanwhile()
    monkeypatch.setitem(LoadedPolicy.copy.__globals__, "independent_copy", copied)
    twin = one.copy()
    assert found == [expected] == [twin.recommend(k=3)]
    assert torch.equal(twin.agent.generator.get_state(), one.agent.generator.get_state())


def test_runs_that_cannot_be_loaded_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        recframe.load_policy(tmp_path / "none")
    ratings = folder.parent / "ratings.csv"
    before = ratings.read_text()
    ratings.write_text(f"{before}p0,19,5,9999\n")
    with pytest.raises(UserError, match=r"the data is not that of the run: .* load_policy\(\.\.\., other_data=True\)"):
        recframe.load_policy(folder)
    assert recframe.load_policy(folder, other_data=True).recommend(["1"], k=1)
    ratings.write_text(before)


def test_a_policy_for_numbers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path))
    small = ["debug=smoke", "logger=[csv]", "agent=random", "evaluation.references=false", "evaluation.num_users=2"]
    world = ["environment=gymnasium", "environment.id=Pendulum-v1", "reward=[environment]", "state_tracker=mlp"]
    result = recframe.run([*world, *small], folder=tmp_path / "run")
    with pytest.raises(UserError, match="agent=random cannot recommend from a history alone: its actions are numbers, not items"):
        recframe.load_policy(result)
