"""Topic world with moods and texts: texts match the state, nothing else changes, and the conformance suite passes."""

from dataclasses import replace

import polars as pl
import pytest
import torch

from recframe.interfaces import DataError, Texts
from recframe.testing import check_component
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.synthetic import Synthetic
from recframe_plugins.environments.registration import recframe_register_components
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.moods import Moods, Utterances
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.update({component.name: component}))
SPEAKING = TopicWorldConfig(says=True, mood_weight=4.0, mood_change=0.3)


@pytest.fixture(scope="module")
def data():
    return Synthetic(SyntheticConfig(num_items=60, num_users=50, num_topics=5, utterances=2)).load()


def world(data, config, num_users=200):
    return TopicWorld(config, data, num_users=num_users, history_length=5, split="train", device="cpu")


def slates(environment, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield torch.randint(environment.spec.num_items, environment.spec.action_shape, generator=generator)


@pytest.mark.parametrize("config", [replace(SPEAKING, slate_size=2), TopicWorldConfig(mood_weight=2.0)], ids=["both", "moods"])
def test_it_conforms(data, config):
    check_component(COMPONENTS["topic_world"], config, data)


def test_texts_match_time_mood_and_sentiment(data):
    environment = world(data, SPEAKING)
    told, topics = data.contexts.attributes, sorted(set(data.contexts.attributes["intent"]))
    observation = environment.reset(0)
    assert environment.spec.has_context
    time = told["time_of_day"].gather(observation.context.tolist()).to_list()
    assert set(told["sentiment"].gather(observation.context.tolist())) == {"neutral"}
    assert len(set(time)) == 4
    met = set()
    for slate in slates(environment, 6):
        boredom = (environment.state["exposure"] * environment.item_vectors[slate[:, 0]]).sum(dim=1)
        before = environment.state
        step = environment.step(slate)
        rows = step.next_observation.context.tolist()
        felt = (step.response.signals["click"][:, 0] - boredom).tolist()
        expected = ["positive" if g > 0.2 else "negative" if g < -0.2 else "neutral" for g in felt]
        assert told["sentiment"].gather(rows).to_list() == expected
        met |= set(expected)
        going_on = ~(step.terminated | step.truncated)
        moods = environment.state["mood"][going_on]
        said = told["intent"].gather(step.observation.context[going_on].tolist()).to_list()
        assert said == [topics[mood] for mood in moods.tolist()]
        assert told["time_of_day"].gather(step.next_observation.context.tolist()).to_list() == time
        assert (moods != before["mood"][going_on]).float().mean() < 0.5
        time = told["time_of_day"].gather(step.observation.context.tolist()).to_list()
    assert met == {"positive", "neutral", "negative"}


def test_intent_is_the_strongest_taste_without_moods(data):
    environment = world(data, replace(SPEAKING, mood_weight=0.0))
    observation = environment.reset(0)
    topics = sorted(set(data.contexts.attributes["intent"]))
    favourites = [topics[topic] for topic in environment.state["taste"].argmax(dim=1).tolist()]
    assert data.contexts.attributes["intent"].gather(observation.context.tolist()).to_list() == favourites


def test_truth_includes_the_mood(data):
    environment = world(data, SPEAKING, num_users=5_000)
    environment.reset(0)
    truth = environment.truth().signals["click"]
    item = int(environment.item_vectors[:, 0].argmax())
    clicks = environment.step(torch.full((5_000, 1), item)).response.signals["click"]
    wanted = environment.item_vectors[item].argmax()
    in_mood = world(data, SPEAKING, num_users=5_000)
    in_mood.reset(0)
    wants = in_mood.state["mood"] == wanted
    for group in (wants, ~wants):
        assert truth[group, item].mean().item() == pytest.approx(clicks[group].mean().item(), abs=0.04)
    assert truth[wants, item].mean() > truth[~wants, item].mean() + 0.2


def test_texts_are_off_by_default_and_then_not_required(data):
    silent, mute = world(data, TopicWorldConfig()), world(data._replace(contexts=None), TopicWorldConfig())
    assert not silent.spec.has_context
    silent.reset(0)
    mute.reset(0)
    for slate in slates(silent, 4):
        left, right = silent.step(slate), mute.step(slate)
        assert left.observation.context is None
        assert torch.equal(left.observation.history_feedback, right.observation.history_feedback)
    assert set(silent.state) == {"user", "taste", "patience", "exposure", "steps", "recent"}


def test_mood_by_time_sets_how_strongly_the_time_of_day_determines_moods():
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(40_000, generator=generator)
    time = torch.arange(40_000) % 2
    moods = Moods(2, 5, 1.0, generator, torch.device("cpu"))
    drawn = moods.drawn(time, uniform)
    for t in (0, 1):
        shares = torch.bincount(drawn[time == t], minlength=5) / 20_000
        assert torch.allclose(shares, moods.shares[t], atol=0.015)
    assert (moods.shares[0] - moods.shares[1]).abs().max() > 0.05
    assert torch.allclose(Moods(2, 5, 0.0, generator, torch.device("cpu")).shares, torch.full((2, 5), 0.2))
    assert moods.drawn(torch.zeros(1, dtype=torch.int64), torch.ones(1)).item() == 4


def test_matching_texts_are_equally_likely():
    rows = {"intent": ["a", "b", "b", "c", "b"], "sentiment": ["neutral"] * 5}
    others = {"intent": ["a", "b"] * 2, "sentiment": ["positive", "positive", "negative", "negative"]}
    told = pl.concat([pl.DataFrame(rows), pl.DataFrame(others)])
    said = Utterances(Texts([""] * 9, attributes=told), ["a", "b"], [""], torch.device("cpu"), "a test")
    uniform = torch.tensor([0.0, 0.3, 0.34, 0.7, 0.999999])
    ones = torch.ones(5, dtype=torch.int64)
    assert said.chosen(ones, ones, 0 * ones, uniform).tolist() == [1, 1, 2, 4, 4]


def test_missing_texts_are_named(data):
    with pytest.raises(DataError, match=r"needs Data\.contexts with the attribute 'intent'"):
        world(data._replace(contexts=None), SPEAKING)
    with pytest.raises(DataError, match="the attribute 'intent'"):
        world(toy_contexts(data, sentiment=["positive"]), SPEAKING)
    told = data.contexts.attributes
    glad = told.with_columns(sentiment=pl.when(pl.col("intent") == "crime").then(pl.lit("positive")).otherwise("sentiment"))
    with pytest.raises(DataError, match="there is none for intent 'crime', sentiment 'negative'"):
        world(data._replace(contexts=Texts(data.contexts.texts, attributes=glad)), SPEAKING)


def toy_contexts(data, **attributes):
    return data._replace(contexts=Texts(["text"], attributes=pl.DataFrame(attributes)))
