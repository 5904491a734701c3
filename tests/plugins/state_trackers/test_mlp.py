"""The MLP tracker: the state is a function of only the features."""

import pytest
import torch
from torch import nn

from recframe.testing import check_component, toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.config import MLPConfig
from recframe_plugins.state_trackers.mlp import MLPTracker
from recframe_plugins.state_trackers.registration import recframe_register_components

COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.setdefault(component.name, component))
DATA = toy_data()


def build(**options):
    torch.manual_seed(0)
    spec = toy_spec(DATA, num_features=3, has_context=True)
    return MLPTracker(MLPConfig(**options), spec, DATA), toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=20)


def state(tracker, observation):
    with torch.no_grad():
        return tracker(observation, tracker.project_items())


@pytest.mark.parametrize("options", [{}, {"hidden_sizes": [7], "item_dim": 5, "activation": "tanh"}, {"hidden_sizes": [9, 8, 6]}])
def test_it_conforms(options):
    check_component(COMPONENTS["mlp"], MLPConfig(**options))


def test_state_depends_only_on_the_features():
    tracker, observation = build()
    before = state(tracker, observation)
    other = observation.clone()
    other.history_items, other.history_feedback = other.history_items.flip(0), other.history_feedback.flip(0)
    other.user, other.context = other.user.flip(0), other.context.flip(0)
    assert torch.equal(state(tracker, other), before)
    other.features = other.features + 0.5
    assert (state(tracker, other) != before).any(dim=1).all()


@pytest.mark.parametrize(("activation", "function"), [("relu", torch.relu), ("tanh", torch.tanh)])
def test_every_layer_is_followed_by_the_activation(activation, function):
    tracker, observation = build(hidden_sizes=[6, 5], activation=activation)
    first, second = (layer for layer in tracker.layers if isinstance(layer, nn.Linear))
    with torch.no_grad():
        tamed = observation.features.sign() * (1 + observation.features.abs()).log()
        expected = function(second(function(first(tamed))))
    torch.testing.assert_close(state(tracker, observation), expected)
    assert tracker.state_dim == expected.shape[1] == 5


def test_features_and_at_least_one_layer_are_required():
    with pytest.raises(ValueError, match="this environment gives none"):
        MLPTracker(MLPConfig(), toy_spec(DATA), DATA)
    with pytest.raises(ValueError, match="at least one layer"):
        build(hidden_sizes=[])
