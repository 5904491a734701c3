"""Utterances of the synthetic dataset: labelled, varied, and without effect on other data."""

from collections import Counter

import pytest
import torch
import yaml

from recframe.testing import check_dataset
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.synthetic import Synthetic
from recframe_plugins.datasets.synthetic.utterances import SENTIMENT_PHRASES, TIME_PHRASES, generate_utterances
from recframe_plugins.datasets.synthetic.vocabulary import TOPICS

SMALL = {"num_items": 5, "num_users": 4, "num_topics": 6}


def test_each_topic_sentiment_and_time_has_the_same_number_of_texts():
    said = Synthetic(SyntheticConfig(**SMALL, utterances=3)).load().contexts
    cells = Counter(said.attributes.select("intent", "sentiment", "time_of_day").iter_rows())
    assert set(cells.values()) == {3}
    assert len(cells) == 6 * len(SENTIMENT_PHRASES) * len(TIME_PHRASES)
    assert len(set(said.texts)) == len(said.texts)


def test_texts_match_their_attributes():
    said = generate_utterances(4, 20, torch.Generator().manual_seed(0))
    for text, (intent, sentiment, time) in zip(said.texts, said.attributes.iter_rows(), strict=True):
        assert any(text.startswith(f"{phrase} ") for phrase in TIME_PHRASES[time])
        assert any(f" {phrase} " in text for phrase in SENTIMENT_PHRASES[sentiment])
        (topic,) = (topic for topic in TOPICS if topic.name == intent)
        banks = (*topic.people, *topic.things, *topic.places, *topic.activities, *topic.tags, *topic.tastes)
        assert any(word.lower() in text.lower() for word in banks)
    named = sum(intent in text.lower() for text, intent in zip(said.texts, said.attributes["intent"], strict=True))
    assert named / len(said.texts) < 0.1


def test_texts_are_distinct_for_any_number():
    said = generate_utterances(100, 2, torch.Generator().manual_seed(0))
    assert len(set(said.texts)) == 100 * 2 * 3 * 4


def test_dataset_conforms_and_utterances_do_not_change_items_or_users():
    check_dataset(Synthetic(SyntheticConfig(**SMALL, utterances=1)))
    mute, speaking = (Synthetic(SyntheticConfig(**SMALL, utterances=n)).load() for n in (0, 2))
    assert mute.contexts is None
    assert mute.catalog.texts == speaking.catalog.texts
    assert mute.users.profiles.texts == speaking.users.profiles.texts
    assert torch.equal(mute.catalog.popularity, speaking.catalog.popularity)


@pytest.mark.parametrize("name", ["sentiment", "intent"])
def test_shipped_prototypes_have_all_labels_and_copy_no_phrase(name, project_root):
    prototypes = yaml.safe_load((project_root / "conf" / "labels" / f"{name}.yaml").read_text())["prototypes"]
    labels = set(SENTIMENT_PHRASES) if name == "sentiment" else {topic.name for topic in TOPICS}
    assert set(prototypes) == labels
    sentences = {sentence.lower().rstrip(".") for some in prototypes.values() for sentence in some}
    phrases = [phrase for some in (*SENTIMENT_PHRASES.values(), *TIME_PHRASES.values()) for phrase in some]
    phrases += [taste for topic in TOPICS for taste in topic.tastes]
    assert sentences.isdisjoint(phrase.lower().rstrip(".") for phrase in phrases)
