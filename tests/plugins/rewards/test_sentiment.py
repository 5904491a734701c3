"""The sentiment reward: the sentiment of the text after the slate, shared by the items of the slate."""

from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD, DataError, Labels
from recframe.testing import toy_data, toy_spec, toy_transition
from recframe_plugins.rewards.config import SentimentConfig
from recframe_plugins.rewards.sentiment import Sentiment

DATA = toy_data()


def told(*rows, names=("bad", "so so", "good")):
    labels = {"mood": Labels(names, torch.tensor(rows))}
    return DATA._replace(contexts=replace(DATA.contexts, labels=labels))


CONFIG = SentimentConfig(label="mood", positive="good", negative="bad")


@pytest.mark.parametrize("slate_size", [1, 4])
def test_reward_is_the_sentiment_of_the_text_after_the_slate(slate_size):
    data = told([0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.0, 0.1, 0.9])
    spec = toy_spec(data, slate_size=slate_size, has_context=True)
    transition = toy_transition(spec, data, torch.Generator().manual_seed(0), users=9)
    transition.observation.context = torch.zeros(9, dtype=torch.int64)
    transition.next_observation.context = torch.arange(9) % 3
    reward = Sentiment(CONFIG)
    reward.prepare(data)
    values = reward(transition, data.catalog)
    assert values.shape == (9, slate_size)
    assert values.sum(dim=1).tolist() == pytest.approx([-0.6, 0.0, 0.9] * 3)
    assert torch.equal(values, values[:, :1].expand(-1, slate_size))


def test_only_items_that_are_shown_share_it():
    data = told(*[[0.7, 0.2, 0.1]] * 3)
    transition = toy_transition(toy_spec(data, slate_size=3, has_context=True), data, torch.Generator().manual_seed(0), users=2)
    transition.next_observation.context = torch.zeros(2, dtype=torch.int64)
    transition.slate = torch.tensor([[4, PAD, 5], [PAD, PAD, 6]])
    reward = Sentiment(CONFIG)
    reward.prepare(data)
    torch.testing.assert_close(reward(transition, data.catalog), torch.tensor([[-0.3, 0.0, -0.3], [0.0, 0.0, -0.6]]))


def test_missing_requirements_are_named():
    with pytest.raises(DataError, match="reads the label 'mood' of contexts, which do not have it"):
        Sentiment(CONFIG).prepare(DATA)
    with pytest.raises(DataError, match="which do not have it"):
        Sentiment(CONFIG).prepare(DATA._replace(contexts=None))
    with pytest.raises(DataError, match=r"reward\.sentiment\.negative: 'bad' is not one of the labels sad, good"):
        Sentiment(CONFIG).prepare(told([0.5, 0.5], [0.5, 0.5], [0.5, 0.5], names=("sad", "good")))
    reward = Sentiment(SentimentConfig())
    silent = toy_transition(toy_spec(DATA), DATA, torch.Generator().manual_seed(0))
    with pytest.raises(RuntimeError, match="call prepare"):
        reward(silent, DATA.catalog)
    reward.prepare(DATA)
    with pytest.raises(DataError, match="they say nothing"):
        reward(silent, DATA.catalog)
