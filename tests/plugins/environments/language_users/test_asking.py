"""Language users who are asked: what the model is told, what its replies become, and who is asked together with whom."""

import json
import logging
from dataclasses import replace

import pytest
import torch

from recframe.components.consistency import contradictions
from recframe.interfaces import PAD, DataError
from recframe.llm.config import ChatConfig
from recframe.testing import check_environment
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.language_users import LanguageUsers
from recframe_plugins.environments.simulation.questions import FREE, SILENCE
from recframe_plugins.rewards.judge.config import JudgeConfig
from tests.scripted_chat import KNOWING, MARK, topic_of

ITEMS, VALUES = 40, 3
SETTINGS = {"questions": ["attributes", "free"], "topic_attribute": "topics", "num_topics": VALUES}


def replying(question: str, leaves: str | None = None) -> str:
    """A model that wants its topic, and says so when it is asked; it leaves when it is asked about the value `leaves`."""
    if "Now you are asked" not in question:
        return KNOWING(question)
    topic, asked = topic_of(question), question.partition("Now you are asked")[2]
    if FREE in asked:
        reply = next((place for place in range(VALUES) if f"{place}: Have you got anything about {topic}?" in asked), 0)
    else:
        reply = 0 if topic in asked.partition("\n")[0] else 1
    return json.dumps({"mark": MARK.search(question)[1], "reply": reply, "stays": leaves is None or leaves not in asked.partition("\n")[0]})


@pytest.fixture
def asking(make, endpoint):
    """`asking(num_users=4)`: an environment that may ask, whose people want their topic."""
    endpoint.answer = replying
    return lambda **options: make(**SETTINGS, **options)


def topics_of_people(toy, environment):
    return [toy.users.attributes["topics"][person][0] for person in environment.state["person"].tolist()]


def test_it_conforms(asking, toy):
    environment = asking(slate_size=2, num_users=6)
    check_environment(environment, LanguageUsers.training_data(environment.config, toy), steps=6)


def test_yes_and_no_are_the_signal_and_the_free_question_is_answered_by_a_text(asking, toy):
    environment = asking(num_users=8)
    data = LanguageUsers.training_data(environment.config, toy)
    assert data.catalog.titles[ITEMS:] == [f"Do you feel like {value}?" for value in environment.questions.values] + [FREE]
    assert data.contexts.texts[-1] == SILENCE
    assert (environment.reset(0).context == len(data.contexts.texts) - 1).all()
    wanted = topics_of_people(toy, environment)
    for number, value in enumerate(environment.questions.values):
        response = environment.step(torch.full((8, 1), ITEMS + number)).response
        assert response.signals["answer"][:, 0].tolist() == [1.0 if topic == value else -1.0 for topic in wanted]
        assert not response.signals["click"].any()
    step = environment.step(torch.full((8, 1), ITEMS + VALUES))
    said = [data.contexts.texts[row] for row in step.observation.context.tolist()]
    told = [(topic, text) for topic, text in zip(wanted, said, strict=True) if topic in environment.questions.values]
    assert len(told) >= 2
    assert all(text == f"Have you got anything about {topic}?" for topic, text in told)
    assert not step.response.signals["answer"].any()


def test_people_who_are_asked_and_people_who_are_shown_something_answer_in_one_step(asking, endpoint, toy):
    environment = asking(num_users=4, slate_size=2)
    environment.reset(0)
    wanted = topics_of_people(toy, environment)
    slate = torch.tensor([[0, 1], [2, ITEMS], [ITEMS, 3], [ITEMS + VALUES, 4]])
    response = environment.step(slate).response
    topic_of_item = [toy.catalog.attributes["topics"][item][0] for item in range(5)]
    clicks = [
        [topic_of_item[0] == wanted[0], topic_of_item[1] == wanted[0]],
        [topic_of_item[2] == wanted[1], False],
        [False] * 2,
        [False] * 2,
    ]
    assert response.signals["click"].bool().tolist() == clicks
    assert (response.signals["rating"] > 0).tolist() == [[True, True], [True, False], [False] * 2, [False] * 2]
    assert response.signals["answer"][:, 0].ne(0).tolist() == [False, False, True, False]
    assert len(endpoint.questions) == 4
    shown = [question for question in endpoint.questions if "Now you are shown" in question]
    assert len(shown) == 2


def test_who_is_asked_remembers_it_and_who_does_not_stay_leaves(asking, endpoint, toy):
    environment = asking(num_users=1, memory_items=2, protocol="fixed_length")
    environment.reset(0)
    for number in (1, ITEMS, 2):
        environment.step(torch.tensor([[number]]))
    title = environment.wording.titles[ITEMS]
    assert f'the question "{title}" (you said ' in endpoint.questions[-1]
    environment.step(torch.tensor([[ITEMS + VALUES]]))
    assert FREE not in endpoint.questions[-1].partition("Now you are asked")[0]
    assert (environment.history.items[0, -4:]).tolist() == [1, ITEMS, 2, ITEMS + VALUES]
    leaving = asking(num_users=3)
    endpoint.answer = lambda question: replying(question, leaves=leaving.questions.values[0])
    leaving.reset(0)
    assert not leaving.step(torch.full((3, 1), ITEMS + 1)).terminated.any()
    assert leaving.step(torch.full((3, 1), ITEMS)).terminated.all()


def test_a_reply_that_cannot_be_used_is_no_answer_and_says_nothing(asking, endpoint, caplog):
    endpoint.answer = lambda question: "I would rather watch the sea."
    environment = asking(num_users=4)
    silence = environment.reset(0).context
    with caplog.at_level(logging.WARNING):
        first = environment.step(torch.full((4, 1), ITEMS))
        second = environment.step(torch.full((4, 1), ITEMS + VALUES))
    assert not first.response.signals["answer"].any()
    assert torch.equal(second.observation.context, silence)
    assert not (first.terminated | second.terminated).any()
    assert environment.respondents.unusable_replies.count == 8
    assert environment.unusable.count == 0
    assert "who gives such a reply has said nothing, and stays" in caplog.text
    assert "clicks nothing" not in caplog.text


def test_texts_of_others_are_refused_with_the_question_that_needs_them(asking, toy):
    environment = asking(num_users=2)
    data = LanguageUsers.training_data(environment.config, toy)
    other = data._replace(contexts=replace(data.contexts, texts=["Hello.", *data.contexts.texts[1:]]))
    with pytest.raises(DataError, match=r"the free question of environment\.questions needs its sentences as Data.contexts"):
        LanguageUsers(environment.config, other, num_users=2, history_length=6, split="train", device="cpu")


def test_probabilities_of_yes_and_of_each_wish(asking, endpoint, toy):
    def one_word(question):
        asked = question.partition("Now you are asked")[2]
        if "Do you stay" in question:
            return "stay"
        return ("What do you think" in question and "great") or (
            f"Have you got anything about {topic_of(question)}?" if FREE in asked else "yes"
        )

    endpoint.answer = one_word
    environment = asking(num_users=4, asking="probabilities")
    environment.reset(0)
    assert (environment.step(torch.full((4, 1), ITEMS)).response.signals["answer"] == 1).all()
    wanted = topics_of_people(toy, environment)
    step = environment.step(torch.full((4, 1), ITEMS + VALUES))
    texts = [environment.sentences[row] for row in step.observation.context.tolist()]
    told = [(topic, text) for topic, text in zip(wanted, texts, strict=True) if topic in environment.questions.values]
    assert told
    assert all(text == f"Have you got anything about {topic}?" for topic, text in told)
    assert not step.terminated.any()


def test_what_is_not_shown_takes_no_place_in_the_memory(asking):
    environment = asking(num_users=1, slate_size=2, memory_items=3, protocol="fixed_length")
    environment.reset(0)
    for slate in ([1, 2], [ITEMS + VALUES, 3], [4, ITEMS]):
        environment.step(torch.tensor([slate]))
    assert environment.state["seen"][0].tolist() == [1, 2, 4]
    assert environment.history.items[0].tolist() == [PAD, PAD, 1, 2, ITEMS + VALUES, 4]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"questions": ["attributes"]}, "are about the values of environment.topic_attribute, which is null"),
        ({"questions": ["free"], "topic_attribute": "topics", "says": True}, "people say what they want without being asked"),
        ({"questions": ["free", "free"], "topic_attribute": "topics"}, "names one twice"),
        ({"topic_attribute": "topics"}, "has no meaning without environment.says=true or environment.questions"),
    ],
)
def test_questions_that_contradict_each_other_are_refused(options, expected):
    problems = contradictions(LanguageUsersConfig(**options))
    assert any(expected in line for line in problems), problems


@pytest.mark.parametrize("config", [LanguageUsersConfig, JudgeConfig])
def test_a_model_that_is_loaded_here_is_asked_for_probabilities_and_an_endpoint_for_answers(config):
    assert not config().in_json
    endpoint = ChatConfig(base_url="http://localhost:1/v1", model="some", max_tokens=400)
    assert config(llm=endpoint).in_json
    assert config(asking="answers").in_json
    assert not config(llm=endpoint, asking="probabilities").in_json
    assert not list(config().contradictions())
