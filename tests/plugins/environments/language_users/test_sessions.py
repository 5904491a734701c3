"""Sessions of language users: what the model is asked, what its answers become, and what happens to answers that cannot be used."""

import json
import logging
from typing import ClassVar

import polars as pl
import pytest
import torch

from recframe.components import Kind
from recframe.interfaces import DataError
from recframe.llm import BudgetExhausted, Chat, ChatConfig
from recframe.llm.backend import ChatBackend
from recframe.llm.messages import Completion
from recframe.llm.unusable import UnusableAnswers
from recframe.plugin_loader import registry
from recframe.testing import check_component, toy_data
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.language_users import LanguageUsers
from recframe_plugins.environments.language_users.people import histories
from recframe_plugins.environments.language_users.probabilities import ProbablePeople
from recframe_plugins.environments.language_users.sentences import GREETED, NOT_KNOWN
from recframe_plugins.environments.language_users.visits import Visit
from tests.scripted_chat import KNOWING, answering, slate_of, topic_of


def topics_of(data, items):
    return [data.catalog.attributes["topics"][item][0] for item in items]


def test_clicks_and_ratings_are_those_of_the_answers_in_the_order_of_the_slate(make, toy):
    environment = make(slate_size=3, num_users=5)
    people = environment.reset(0).user.tolist()
    slate = torch.arange(15).view(5, 3)
    response = environment.step(slate).response
    for row, person in enumerate(people):
        liked = [topic == toy.users.attributes["topics"][person][0] for topic in topics_of(toy, slate[row].tolist())]
        assert response.signals["click"][row].tolist() == [float(like) for like in liked]
        assert response.signals["rating"][row].tolist() == [5.0 if like else 1.0 for like in liked]


def test_a_question_tells_persona_slate_and_memory_and_no_more_than_it_should(make, endpoint, toy):
    environment = make(num_users=1, memory_items=2, protocol="fixed_length")
    person = environment.reset(0).user.item()
    for item in (1, 2, 3):
        environment.step(torch.tensor([[item]]))
    first, _, third = endpoint.questions
    assert f"You: {toy.users.profiles.texts[person]}" in first
    assert "Earlier in this visit" not in first
    title, about = toy.catalog.titles[3], toy.catalog.attributes["description"][3]
    assert slate_of(third) == [f"{title}: {about.rstrip('.')}"]
    assert f"Earlier in this visit you saw: {toy.catalog.titles[1]} (" in third
    environment.step(torch.tensor([[4]]))
    assert toy.catalog.titles[1] not in endpoint.questions[-1].partition("Earlier")[2]


def test_a_new_session_remembers_nothing_of_the_one_before(make, endpoint):
    environment = make(num_users=1, max_steps=2)
    environment.reset(0)
    for item in (1, 2, 3):
        environment.step(torch.tensor([[item]]))
    assert ["Earlier" in question for question in endpoint.questions] == [False, True, False]


def test_who_does_not_stay_leaves_unless_sessions_have_one_length(make, endpoint, sessions):
    endpoint.answer = answering(lambda topic, place, item: False, stays=False)
    assert all(step.terminated.all() for step in sessions(make(), steps=2))
    fixed = sessions(make(protocol="fixed_length", max_steps=3), steps=3)
    assert [step.terminated.any().item() for step in fixed] == [False] * 3
    assert fixed[-1].truncated.all()


def test_what_people_say_is_a_row_of_the_contexts_and_is_told_to_them_again(make, endpoint, toy):
    endpoint.answer = answering(lambda topic, place, item: True, says=5)
    environment = make(says=True, topic_attribute="topics", num_topics=2, num_users=3)
    data = LanguageUsers.training_data(environment.config, toy)
    assert len(data.contexts.texts) == 4 + 2 * 3
    assert environment.reset(0).context.tolist() == [GREETED] * 3
    following = environment.step(torch.tensor([[1], [2], [3]])).next_observation
    assert following.context.tolist() == [5] * 3
    environment.step(torch.tensor([[4], [5], [6]]))
    assert f'You said last: "{data.contexts.texts[5]}"' in endpoint.questions[-1]
    assert set(data.contexts.attributes["sentiment"]) == {"negative", "neutral", "positive"}


def test_the_sentences_must_be_the_contexts_of_the_data(toy, endpoint):
    config = LanguageUsersConfig(says=True, llm=ChatConfig(max_tokens=400, **endpoint.settings))
    with pytest.raises(DataError, match=r"needs its sentences as Data\.contexts"):
        LanguageUsers(config, toy, num_users=2, history_length=3, split="train", device="cpu")


NONSENSE = {
    "no JSON": lambda question: "I would rather watch the sea.",
    "an empty answer": lambda question: "",
    "another number of items": lambda question: KNOWING(question).replace('"items": [', '"items": [{"click": true, "rating": 5}, '),
    "a rating off the scale": lambda question: (
        KNOWING(question).replace('"rating": 1', '"rating": 11').replace('"rating": 5', '"rating": 50')
    ),
    "a click in words": lambda question: KNOWING(question).replace("true", '"yes"').replace("false", '"no"'),
    "a list": lambda question: "[1, 2, 3]",
    "infinity": lambda question: KNOWING(question).replace('"rating": 1', '"rating": Infinity').replace('"rating": 5', '"rating": NaN'),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_cannot_be_used_is_counted_told_in_one_line_and_neutral(make, endpoint, answer, caplog, toy):
    endpoint.answer = answer
    environment = make(num_users=6, protocol="fixed_length")
    environment.reset(0)
    with caplog.at_level(logging.WARNING):
        response = environment.step(torch.arange(6)[:, None]).response
    assert (response.signals["click"] == 0.0).all()
    assert response.signals["rating"].flatten().tolist() == pytest.approx([toy.interactions.frame["rating"].mean()] * 6)
    assert not response.leave.any()
    (line,) = [record.getMessage() for record in caplog.records if "could not be used" in record.getMessage()]
    assert line.startswith("6 of 6 answers of the language model could not be used (the last: ")
    assert "such a person clicks nothing, rates at 2.17 and stays" in line
    assert "\n" not in line


def test_nonsense_after_the_clicks_lets_people_stay_with_the_neutral_sentence_and_is_counted(make, endpoint, caplog):
    endpoint.answer = lambda question: "great" if "What do you think of" in question else "purple"
    environment = make(num_users=6, asking="probabilities", says=True)
    environment.reset(0)
    with caplog.at_level(logging.WARNING):
        step = environment.step(torch.arange(6)[:, None])
    assert not step.response.leave.any()
    assert step.observation.context.tolist() == [NOT_KNOWN] * 6
    assert (environment.unusable.asked, environment.unusable.count) == (18, 12)
    lines = [record.getMessage() for record in caplog.records if "could not be used" in record.getMessage()]
    assert "it begins with neither stay nor leave" in lines[0]
    assert "who does not say that they leave stays" in lines[0]


def test_a_model_that_is_loaded_here_and_finds_two_words_equally_likely_has_chosen(make):
    class Torn(ChatBackend):
        identity: ClassVar[dict[str, str]] = {"model": "torn"}

        def complete(self, requests, budget):
            for number, request in enumerate(requests):
                yield number, Completion("", 1, 0, probabilities=(1 / len(request.options),) * len(request.options))

    environment = make()
    chat = Chat(ChatConfig(replay="off"), backend=Torn())
    people = ProbablePeople(chat, environment.wording, environment.respondents.personas, environment.scale, None, UnusableAnswers(""))
    visits = [Visit(int(person), [0], []) for person in environment.people[:3]]
    assert people.afterwards(visits, people.opinions(visits), torch.zeros(3, 1)).leave.tolist() == [0.5] * 3
    assert people.unusable.count == 0


def test_texts_of_personas_do_not_depend_on_the_order_of_equal_times(toy):
    frame = toy.interactions.frame.with_columns(timestamp=pl.col("timestamp") // 1_000_000)
    orders = [frame, frame.reverse(), frame.sample(fraction=1.0, shuffle=True, seed=1)]
    first, *others = [histories(one, "rating", 3.0, 3) for one in orders]
    assert others == [first, first]


def test_later_lines_come_only_when_the_number_has_doubled(make, endpoint, caplog):
    endpoint.answer = lambda question: "nonsense"
    environment = make(num_users=1, protocol="fixed_length", max_steps=9)
    environment.reset(0)
    with caplog.at_level(logging.WARNING):
        for item in range(9):
            environment.step(torch.tensor([[item]]))
    assert [record.getMessage().split()[0] for record in caplog.records if "could not be used" in record.getMessage()] == [
        "1",
        "2",
        "4",
        "8",
    ]


def test_the_answer_to_another_persons_question_is_never_taken_for_ones_own(make, endpoint, caplog):
    """An endpoint that mixes up its answers: everybody gets the answer to the question before."""
    asked = []

    def mixed_up(question):
        asked.append(question)
        return KNOWING(asked[-2] if len(asked) > 1 else question.replace('"mark": "', '"mark": "0'))

    endpoint.answer = mixed_up
    environment = make(num_users=6, protocol="fixed_length", llm={"requests_at_once": 1})
    environment.reset(0)
    response = environment.step(torch.arange(6)[:, None]).response
    assert environment.unusable.count == 6
    assert (response.signals["click"] == 0.0).all()


def test_one_wrong_answer_does_not_touch_those_of_others(make, endpoint, toy):
    environment = make(num_users=5, protocol="fixed_length")
    people = environment.reset(0).user.tolist()
    unlucky = toy.users.profiles.texts[people[2]]
    endpoint.answer = lambda question: "?" if unlucky in question else KNOWING(question)
    topics = [toy.users.attributes["topics"][person][0] for person in people]
    wanted = [next(item for item in range(40) if topics_of(toy, [item])[0] == topic) for topic in topics]
    clicks = environment.step(torch.tensor(wanted)[:, None]).response.signals["click"].squeeze(1)
    expected = [0.0 if person == people[2] else 1.0 for person in people]
    assert clicks.tolist() == expected


def test_a_thousand_sessions_cost_one_runs_calls_and_are_the_same_the_second_time(make, endpoint, sessions):
    options = {"num_users": 250, "max_steps": 1, "slate_size": 2, "protocol": "fixed_length", "memory_items": 2}
    first = sessions(make(**options), steps=4)
    assert sum((step.terminated | step.truncated).sum().item() for step in first) == 1_000
    calls = len(endpoint.questions)
    assert calls <= 1_000
    endpoint.answer = lambda question: "the endpoint answers nonsense now"
    second = sessions(make(**options), steps=4)
    assert len(endpoint.questions) == calls
    for one, other in zip(first, second, strict=True):
        for name in ("click", "rating"):
            assert torch.equal(one.response.signals[name], other.response.signals[name])
        assert torch.equal(one.observation.history_items, other.observation.history_items)


def test_a_budget_that_is_used_up_stops_in_one_line_and_what_was_answered_is_not_asked_again(make, endpoint, sessions):
    options = {"num_users": 4, "protocol": "fixed_length", "max_steps": 3}
    with pytest.raises(BudgetExhausted, match=r"environment\.llm\.max_calls=10") as stopped:
        sessions(make(**options, llm={"max_calls": 10}), steps=6)
    assert "\n" not in str(stopped.value)
    assert len(endpoint.questions) == 10
    whole = sessions(make(**options, llm={"max_calls": 100}), steps=6)
    assert len(endpoint.questions) == len(set(endpoint.questions)) <= 24
    endpoint.questions.clear()
    again = sessions(make(**options, llm={"max_calls": 0}), steps=6)
    assert endpoint.questions == []
    assert all(torch.equal(one.response.signals["click"], other.response.signals["click"]) for one, other in zip(whole, again, strict=True))


def test_people_come_from_a_file_and_are_anonymous_or_users_of_the_data(make, endpoint, toy, tmp_path):
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join(json.dumps({"persona": f"Somebody who likes {topic}."}) for topic in ("jazz", "space", "gardens")))
    environment = make(personas=str(path), num_users=6)
    assert not environment.spec.has_users
    observation, people = environment.start_evaluation(0)
    assert observation.user.tolist() == [0] * 6
    assert len(set(people.tolist())) == 2
    environment.step(torch.arange(6)[:, None])
    assert {topic_of(question) for question in endpoint.questions} <= {"jazz", "space", "gardens"}
    path.write_text("\n".join(json.dumps({"persona": "Likes jazz.", "user": toy.users.ids[row]}) for row in (3, 5, 8)))
    named = make(personas=str(path), num_users=6)
    assert named.spec.has_users
    assert set(named.reset(0).user.tolist()) <= {3, 5, 8}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"persona": "a"}\nnot json', "line 2: 'not json' is not of the form"),
        ('{"persona": ""}', "line 1: .* is not of the form"),
        ('{"persona": "a", "user": 3}', "line 1: .* is not of the form"),
        ('{"persona": "a"}\n{"persona": "b", "user": "user-1"}', "line 2: some lines have a 'user', and others have none"),
        ('{"persona": "a", "user": "nobody"}', "line 1: the dataset has no user 'nobody'; its first is 'user-0'"),
        ('{"persona": "a", "user": "user-1"}\n\n{"persona": "b", "user": "user-1"}', "line 3: the user 'user-1' has a persona already"),
        ('{"persona": "a"}', "has 1 people; at least 2 are needed"),
    ],
)
def test_a_line_of_the_file_that_cannot_be_used_is_named(make, tmp_path, lines, message):
    path = tmp_path / "people.jsonl"
    path.write_text(lines)
    with pytest.raises(DataError, match=message):
        make(personas=str(path))


def test_data_that_know_nothing_of_anybody_are_refused(make, toy):
    with pytest.raises(DataError, match="so nothing is known of any person"):
        make(data=toy._replace(users=None, interactions=None))


def test_a_log_without_profiles_makes_personas_of_ratings(make, endpoint, toy):
    environment = make(data=toy._replace(users=None), num_users=1, persona_items=2)
    person = environment.reset(0).user.item()
    endpoint.answer = lambda question: "?"
    environment.step(torch.tensor([[0]]))
    (question,) = endpoint.questions
    theirs = toy.interactions.frame.filter(toy.interactions.frame["user"] == person).sort("rating")
    persona = question.splitlines()[0]
    assert persona.startswith("You: You rated before, from 1 (worst) to 5 (best): High: ")
    assert f"{toy.catalog.titles[theirs['item'][-1]]} ({theirs['rating'][-1]:g})" in persona or theirs["rating"][-1] == theirs["rating"][-3]
    assert persona.count("(") == 2 + 2 + 2


def test_popularity_is_counted_from_people_of_the_training_split(make, toy):
    config = LanguageUsersConfig()
    held_out = LanguageUsers.held_out_users(config, toy)
    frame = toy.interactions.frame.filter(~toy.interactions.frame["user"].is_in(held_out.tolist()))
    expected = torch.bincount(torch.tensor(frame["item"].to_list()), minlength=40).float()
    assert torch.equal(LanguageUsers.training_data(config, toy).catalog.popularity, expected)
    evaluated = make(split="evaluation", num_users=30).reset(0).user.tolist()
    assert set(evaluated) <= set(held_out.tolist())


CONTRACT = [{"says": True, "memory_items": 1}, {"asking": "probabilities", "memory_items": 0}]


@pytest.mark.parametrize("options", CONTRACT, ids=str)
def test_the_environment_keeps_the_contract(endpoint, tmp_path, options):
    toy = toy_data(num_items=12, num_users=5)  # so few that most questions are asked again, and answered from the cache
    endpoint.answer = lambda question: "weak" if "one word" in question else "stay" if "Do you stay" in question else KNOWING(question)
    if options.get("says"):
        endpoint.answer = answering(lambda topic, place, item: topic in item.lower(), says=2)
    chat = ChatConfig(cache=str(tmp_path), max_tokens=400, **endpoint.settings)
    config = LanguageUsersConfig(llm=chat, card_people=4, protocol="free", max_steps=4, **options)
    check_component(registry().get(Kind.ENVIRONMENT, "language_users"), config, LanguageUsers.training_data(config, toy))
