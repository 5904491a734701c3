"""States of the tabular agents, and invalid options."""

import pytest
import torch

from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec
from recframe_plugins.agents.tabular.config import TabularQLearningConfig
from recframe_plugins.agents.tabular.q_learning import TabularQLearning
from recframe_plugins.agents.tabular.states import FeatureBins, LastItem, OneHot

DATA = toy_data()


def test_the_last_item_and_its_feedback_are_a_state():
    spec = toy_spec(DATA)
    states, environment = LastItem(spec, [0.5, 3.5]), ToyEnvironment(spec, DATA)
    assert states.size == 40 * 9 + 1
    observation = environment.reset(0)[:5]
    assert states(observation).tolist() == [360] * 5  # empty histories
    observation.history_items[:, -1] = torch.tensor([0, 3, 3, 39, 3])
    observation.history_feedback[:, -1] = torch.tensor([[0.0, 0.0], [0.0, 3.0], [1.0, 3.0], [9.0, 9.0], [0.5, 3.5]])
    assert states(observation).tolist() == [0, 27 + 3, 27 + 1 + 3, 351 + 8, 27 + 1 + 6]


def test_one_hot_features_give_the_index_of_the_one():
    spec = toy_spec(DATA, num_features=4)
    observation = ToyEnvironment(spec, DATA).reset(0)[:4]
    observation.features = torch.eye(4)[torch.tensor([3, 0, 2, 2])]
    assert OneHot(spec).size == 4
    assert OneHot(spec)(observation).tolist() == [3, 0, 2, 2]


def test_features_are_put_in_bins():
    spec = toy_spec(DATA, num_features=2)
    observation = ToyEnvironment(spec, DATA).reset(0)[:6]
    observation.features = torch.tensor([[-1.0, 0.0], [-0.51, 9.9], [-0.5, 10.0], [1.0, -3.0], [9.0, torch.inf], [-torch.inf, 5.0]])
    states = FeatureBins(spec, [4, 2], [-1.0, 0.0], [1.0, 10.0])
    assert states.size == 8
    assert states(observation).tolist() == [0, 4, 1 + 4, 3, 3 + 4, 4]
    assert FeatureBins(spec, [3], [0.0], [1.0]).size == 9


@pytest.mark.parametrize(
    ("choices", "options", "message"),
    [
        ({"slate_size": 3}, {}, r"environment\.slate_size must be 1, not 3"),
        ({}, {"state": "one_hot"}, "agent.state=one_hot needs observations with raw numbers"),
        ({}, {"state": "bins"}, "needs observations with raw numbers, but the environment gives none"),
        ({"num_features": 3}, {"state": "bins", "bins": [4, 4]}, r"agent\.bins must hold 1 number, or 3, one for each feature; it holds 2"),
        ({"num_features": 1}, {"state": "bins", "low": [2.0]}, r"agent\.low must lie below agent\.high"),
        ({"num_features": 90}, {"state": "bins"}, "is more than 10,000,000 values"),
        ({}, {"thresholds": [3.5, 0.5]}, r"agent\.thresholds must ascend"),
    ],
)
def test_invalid_options_and_tables_are_refused(choices, options, message):
    spec = toy_spec(DATA, **choices)
    with pytest.raises(ValueError, match=message):
        TabularQLearning(TabularQLearningConfig(**options), spec, ToyTracker(spec, DATA), seed=0)
