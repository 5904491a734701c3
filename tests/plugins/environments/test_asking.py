"""Topic world with questions: people answer by its equations, nothing is shown meanwhile, and without being asked nothing changes."""

from dataclasses import replace

import polars as pl
import pytest
import torch

from recframe.experience import ColdItems, EnvironmentWithoutItems, never_asked
from recframe.interfaces import PAD, DataError
from recframe.testing import check_component, check_environment
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.synthetic import Synthetic
from recframe_plugins.environments.registration import recframe_register_components
from recframe_plugins.environments.simulation.questions import FREE, SILENCE, QuestionList
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.update({component.name: component}))
ASKING = TopicWorldConfig(questions=["attributes", "free"], mood_weight=4.0, mood_change=0.3, answer_noise=0.0)
ITEMS, TOPICS = 60, 5


@pytest.fixture(scope="module")
def items():
    return Synthetic(SyntheticConfig(num_items=ITEMS, num_users=50, num_topics=TOPICS, utterances=2)).load()


def world(items, config=ASKING, num_users=200, history_length=6):
    data = TopicWorld.training_data(config, items)
    return TopicWorld(config, data, num_users=num_users, history_length=history_length, split="train", device="cpu")


def asked(environment, question):
    """Everybody is asked a question, from 0 to Q - 1."""
    spec = environment.spec
    slate = torch.arange(spec.slate_size).expand(spec.num_users, -1).clone()
    slate[:, 0] = spec.first_question + question
    return environment.step(slate)


@pytest.mark.parametrize(
    "config",
    [
        ASKING,
        replace(ASKING, questions=["attributes"], mood_weight=0.0, question_topics=2, slate_size=3),
        replace(ASKING, questions=["free"], answer_noise=0.05, slate_size=2, num_candidates=4, protocol="no_repetition", max_steps=2),
        replace(ASKING, slate_size=2, protocol="fixed_length", max_steps=5, quit_count=1, quit_similarity=-1.0),
        replace(ASKING, questions=["attributes"], says=True, choice_model="cascade", slate_size=2, group_size=3),
    ],
    ids=["both", "two topics", "free", "fixed length", "says"],
)
def test_it_conforms(items, config):
    check_component(COMPONENTS["topic_world"], config, items)


def test_questions_are_the_last_rows_of_the_catalogue_and_silence_the_last_text(items):
    data = TopicWorld.training_data(ASKING, items)
    catalog = data.catalog
    topics = sorted({topic for row in items.catalog.attributes["topics"] for topic in row})
    assert catalog.titles[ITEMS:] == [f"Do you feel like {topic}?" for topic in topics] + [FREE]
    assert (catalog.first_question, catalog.num_questions, len(catalog)) == (ITEMS, TOPICS + 1, ITEMS + TOPICS + 1)
    assert data.contexts.texts == [*items.contexts.texts, SILENCE]
    assert catalog.without_questions().ids == items.catalog.ids
    assert catalog.without_questions().attributes.equals(items.catalog.attributes)


def test_yes_and_no_follow_from_taste_mood_and_boredom(items):
    environment = world(items, replace(ASKING, mood_change=0.0))
    environment.reset(0)
    for _ in range(3):
        environment.step(torch.randint(ITEMS, (200, 1), generator=torch.Generator().manual_seed(1)))
    for topic in range(TOPICS):
        state = environment.state
        utility = 5.0 * state["taste"][:, topic] + 4.0 * (state["mood"] == topic) - 4.0 * state["exposure"][:, topic].clamp(min=0)
        truth = environment.truth().signals["answer"][:, ITEMS + topic]
        step = asked(environment, topic)
        assert torch.equal(step.response.signals["answer"][:, 0], torch.where(utility > 2.5, 1.0, -1.0))
        assert torch.equal(truth, step.response.signals["answer"][:, 0])
        assert step.next_observation.history_feedback[:, -1, 2].equal(step.response.signals["answer"][:, 0])


def test_who_was_not_asked_has_the_answer_0_and_not_minus_0_which_would_tell_what_they_want(items):
    environment = world(items)
    environment.reset(0)
    for step in (environment.step(torch.zeros(200, 1, dtype=torch.int64)), asked(environment, TOPICS)):
        signals = step.response.signals
        assert (signals["answer"] == 0).all()
        assert not any(signals[name].signbit().any() for name in signals.keys())  # noqa: SIM118  # a TensorDict iterates over rows
    assert (asked(environment, 0).response.signals["answer"] == -1).any()


def test_as_many_answers_are_wrong_as_the_noise_says(items, assert_mean):
    right, noisy = (world(items, replace(ASKING, mood_change=0.0, answer_noise=noise), num_users=5_000) for noise in (0.0, 0.2))
    answers = []
    for environment in (right, noisy):
        environment.reset(0)
        answers.append(asked(environment, 1).response.signals["answer"][:, 0])
    assert_mean((answers[0] != answers[1]).float(), 0.2)


def test_the_free_question_is_answered_in_words_that_stay_until_it_is_asked_again(items):
    environment = world(items)
    told = TopicWorld.training_data(ASKING, items).contexts.attributes
    topics = sorted(set(items.contexts.attributes["intent"]))
    silence = len(items.contexts.texts)
    assert (environment.reset(0).context == silence).all()
    assert (environment.step(torch.zeros(200, 1, dtype=torch.int64)).next_observation.context == silence).all()
    step = asked(environment, TOPICS)
    going_on = ~(step.terminated | step.truncated)
    said = step.observation.context[going_on]
    assert told["intent"].gather(said.tolist()).to_list() == [topics[mood] for mood in environment.state["mood"][going_on].tolist()]
    assert set(told["sentiment"].gather(said.tolist())) == {"neutral"}
    assert (step.response.signals["answer"] == 0).all()
    after = environment.step(torch.zeros(200, 1, dtype=torch.int64)).next_observation.context
    assert torch.equal(after[going_on], said)


def test_a_question_shows_nothing_and_costs_patience(items):
    environment = world(items, replace(ASKING, slate_size=3, question_patience_cost=0.2, mood_change=0.0))
    environment.reset(0)
    environment.step(torch.tensor([[1, 2, 3]]).expand(200, -1))
    before = environment.state
    step = asked(environment, 0)
    going_on = ~(step.terminated | step.truncated)
    for name in ("taste", "exposure", "recent"):
        torch.testing.assert_close(environment.state[name][going_on], before[name][going_on])
    torch.testing.assert_close(environment.state["patience"][going_on], (before["patience"] - 0.2).clamp(min=0)[going_on])
    assert not step.response.signals["click"].any()
    assert not step.response.signals["rating"].any()
    assert step.next_observation.history_items[0].tolist() == [PAD, PAD, 1, 2, 3, ITEMS]


def test_a_question_at_a_later_place_is_not_asked_and_the_other_items_count_as_if_they_were_alone(items):
    config = replace(ASKING, leave_rate=0.0)
    steps, exposures = [], []
    for size, slate in ((2, [4, ITEMS]), (1, [4])):
        environment = world(items, replace(config, slate_size=size))
        environment.reset(0)
        steps.append(environment.step(torch.tensor([slate]).expand(200, -1)))
        exposures.append(environment.state["exposure"])
    assert not steps[0].response.signals["answer"].any()
    assert not steps[0].response.signals["click"][:, 1].any()
    assert steps[0].next_observation.history_items[0, -2:].tolist() == [PAD, 4]
    torch.testing.assert_close(*exposures)


def test_people_speak_of_what_they_were_shown_and_not_of_places_that_showed_nothing(items):
    config = replace(ASKING, questions=["attributes"], says=True, slate_size=3, leave_rate=0.0, felt_margin=0.6)
    environment = world(items, config)
    environment.reset(0)
    step = environment.step(torch.tensor([[4, ITEMS, ITEMS + 1]]).expand(200, -1))
    clicked = step.response.signals["click"][:, 0].bool().tolist()
    assert set(clicked) == {True, False}
    told = items.contexts.attributes["sentiment"].gather(step.observation.context.tolist())
    # nobody is bored by the first item
    assert told.to_list() == ["positive" if click else "neutral" for click in clicked]


@pytest.mark.parametrize(
    ("history_length", "slate", "expected"),
    [
        (6, [ITEMS, 7, 8], [2, 3, 4, 5, 6, ITEMS]),
        (6, [7, ITEMS, 8], [3, 4, 5, 6, 7, 8]),
        (2, [ITEMS, 7, 8], [6, ITEMS]),
        (2, [7, ITEMS, ITEMS + 1], [6, 7]),
    ],
)
def test_what_a_slate_does_not_show_takes_no_place_in_a_full_history(items, history_length, slate, expected):
    config = replace(ASKING, slate_size=3, leave_rate=0.0)
    environment = world(items, config, num_users=3, history_length=history_length)
    environment.reset(0)
    for shown in ([1, 2, 3], [4, 5, 6]):
        environment.step(torch.tensor([shown] * 3))
    step = environment.step(torch.tensor([slate] * 3))
    following = step.next_observation
    assert following.history_items[0].tolist() == expected
    answers = following.history_feedback[:, :, 2]
    assert torch.equal(answers != 0, following.history_items == ITEMS)
    assert (following.history_feedback[:, :, 1][following.history_items < ITEMS] >= 1).all()


def test_the_world_is_the_same_with_and_without_questions(items):
    with_them, without = world(items), world(items, replace(ASKING, questions=[], answer_noise=0.05))
    assert torch.equal(with_them.quality[:ITEMS], without.quality)
    assert torch.equal(with_them.people_tastes, without.people_tastes)
    assert torch.equal(with_them.moods.shares, without.moods.shares)
    first, second = with_them.reset(3), without.reset(3)
    assert torch.equal(first.user, second.user)
    shown = [environment.truth().signals["click"][:, :ITEMS] for environment in (with_them, without)]
    torch.testing.assert_close(*shown)


def test_questions_may_be_repeated_where_items_may_not(items):
    environment = world(items, replace(ASKING, protocol="no_repetition", max_steps=10))
    environment.reset(0)
    for _ in range(3):
        step = asked(environment, TOPICS)
    assert (step.observation.excluded == PAD).all()
    assert (environment.step(torch.full((200, 1), 7)).next_observation.excluded == 7).sum(dim=1).eq(1).all()


@pytest.mark.parametrize("settings", [{}, {"num_candidates": 8, "slate_size": 2}], ids=["all", "candidates"])
def test_never_asked_is_an_environment_of_the_items_alone_also_without_cold_ones(items, settings):
    environment = world(items, replace(ASKING, **settings), num_users=6)
    alone = never_asked(environment)
    assert (alone.spec.num_items, alone.spec.num_questions) == (ITEMS, 0)
    known = TopicWorld.training_data(ASKING, items).without_questions()
    check_environment(alone, known)
    cold = ColdItems(0.2, seed=0)
    warm = never_asked(cold.withheld_from(environment))
    assert isinstance(warm, EnvironmentWithoutItems)
    assert warm.spec.num_items == ITEMS
    assert torch.equal(warm.withheld, cold.drawn_from(ITEMS))
    check_environment(warm, known)


def test_cold_items_are_no_questions_and_questions_may_be_asked_among_them(items):
    environment = world(items, num_users=6)
    for one in (ColdItems(0.2, seed=0).withheld_from(environment), ColdItems(0.2, seed=0).alone_in(environment)):
        check_environment(one, TopicWorld.training_data(ASKING, items))
        assert (one.reset(0).excluded < ITEMS).all()
    known = ColdItems(0.2, seed=0).hidden_in(TopicWorld.training_data(ASKING, items))
    assert not known.catalog.popularity[ITEMS:].any()
    assert torch.equal(known.catalog.popularity[:ITEMS], ColdItems(0.2, seed=0).hidden_in(items).catalog.popularity)


def test_a_value_may_have_any_name_and_each_question_a_row_of_its_own(items):
    questions = QuestionList(["free", "jazz", ""], free=True)
    data = questions.added_to(items)
    assert data.catalog.titles[ITEMS:] == ["Do you feel like free?", "Do you feel like jazz?", "Do you feel like ?", FREE]
    assert data.catalog.num_questions == len(questions) == len(set(data.catalog.ids[ITEMS:]))
    questions.require_in(data, "topic_world")
    twice = QuestionList(["jazz", "jazz"])
    with pytest.raises(DataError, match="asks 2 questions, which must be the last rows of the catalogue, and this one has 1"):
        twice.require_in(twice.added_to(items), "topic_world")


def test_data_without_its_questions_is_refused_in_one_line(items):
    with pytest.raises(DataError, match=r"topic_world asks 6 questions, which must be the last rows .* has 0; build it on the data of its"):
        TopicWorld(ASKING, items, num_users=2, history_length=3, split="train", device="cpu")
    with pytest.raises(DataError, match=r"free question, but the dataset has no texts that people may say"):
        TopicWorld.training_data(ASKING, items._replace(contexts=None))
    told = items.contexts.attributes
    needed = r"the free question of environment\.questions needs"
    for attributes, lacks in (
        (None, "Data.contexts with the attribute 'intent'"),
        (told.with_columns(sentiment=pl.lit("neutral")), "a text for every topic, sentiment and time of day"),
    ):
        lacking = items._replace(contexts=replace(items.contexts, attributes=attributes))
        with pytest.raises(DataError, match=f"{needed} {lacks}"):
            world(lacking)
    with pytest.raises(DataError, match="has 6 questions already"):
        TopicWorld.training_data(ASKING, TopicWorld.training_data(ASKING, items))
