"""The states at all places of a history: one pass gives what `forward` of each beginning gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, StateTracker, beginnings, trailing_windows
from recframe.testing import ConformanceError, check_state_tracker, toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.cnn import CNNTracker
from recframe_plugins.state_trackers.config import AttentionConfig, CNNConfig, GRUConfig, LSTMConfig, MeanConfig, PosteriorConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.posterior import PosteriorTracker
from recframe_plugins.state_trackers.recurrent import GRUTracker, LSTMTracker
from recframe_plugins.state_trackers.registration import recframe_register_components

DATA = toy_data()
LENGTH = 5
TRACKERS = {
    "mean": (MeanTracker, MeanConfig(half_life=None)),
    "mean half-life": (MeanTracker, MeanConfig(half_life=2.0)),
    "posterior": (PosteriorTracker, PosteriorConfig(factors=3)),
    "gru": (GRUTracker, GRUConfig(fusion="gated")),
    "lstm": (LSTMTracker, LSTMConfig(fusion="attention")),
    "cnn": (CNNTracker, CNNConfig(heights=[1, 3])),
    "attention from the newest": (AttentionTracker, AttentionConfig(layers=1)),
    "attention from the oldest": (AttentionTracker, AttentionConfig(positions="oldest", heads=2, user_embeddings=True)),
    "attention post-norm": (AttentionTracker, AttentionConfig(positions="oldest", norm_first=False, activation="gelu", feed_forward_dim=9)),
    "attention in both directions": (AttentionTracker, AttentionConfig(positions="oldest", bidirectional=True)),
}


def build(name, length=LENGTH):
    tracker, config = TRACKERS[name]
    torch.manual_seed(0)
    spec = toy_spec(DATA, has_context=True, num_features=2, history_length=LENGTH)
    built = tracker(config, spec, DATA)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
        for buffer in built.buffers():
            buffer.copy_(torch.rand(buffer.shape) + 0.5)
    longer = toy_spec(DATA, has_context=True, num_features=2, history_length=length)
    return built, toy_observation(longer, DATA, torch.Generator().manual_seed(1), users=8)


def test_every_built_in_tracker_of_histories_is_covered():
    components = []
    recframe_register_components(components.append)
    # the sentences are tested with a model that writes them
    of_histories = {one.name for one in components if "features" not in one.requires} - {"summaries"}
    assert {name.split()[0] for name in TRACKERS} == of_histories


@pytest.mark.parametrize("length", [1, LENGTH, 2 * LENGTH + 1])
@pytest.mark.parametrize("name", TRACKERS)
def test_states_are_forward_of_each_beginning(name, length):
    tracker, observation = build(name, length)
    with torch.no_grad():
        items = tracker.project_items()
        states = tracker.states(observation, items)
        for place in range(length):
            beginning = observation.clone()
            beginning.history_items = observation.history_items[:, : place + 1]
            beginning.history_feedback = observation.history_feedback[:, : place + 1]
            torch.testing.assert_close(states[:, place], tracker(beginning, items), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(states, StateTracker.states(tracker, observation, items), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRACKERS)
def test_gradients_of_states_are_those_of_each_beginning(name):
    tracker, observation = build(name)
    weights = torch.randn(8, LENGTH, tracker.state_dim, generator=torch.Generator().manual_seed(2))

    def gradients(states):
        tracker.zero_grad()
        (weights * states(observation, tracker.project_items())).sum().backward()
        return [parameter.grad.clone() for parameter in tracker.parameters() if parameter.grad is not None]

    fast, plain = gradients(tracker.states), gradients(lambda *inputs: StateTracker.states(tracker, *inputs))
    for one, other in zip(fast, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max() + 1))


@pytest.mark.parametrize("name", ["mean", "gru", "cnn", "attention from the oldest"])
@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, LENGTH), changed=st.integers(0, LENGTH - 1), padding=st.integers(0, 4))
def test_no_state_depends_on_later_items_or_on_padding(name, length, changed, padding):
    tracker, observation = build(name)
    one = observation[-1:].clone()
    one.history_items = (torch.arange(length) * 3 + 1).unsqueeze(0)
    one.history_feedback = torch.ones(1, length, 2)
    place = min(changed, length - 1)
    other = one.clone()
    other.history_items = torch.nn.functional.pad(one.history_items, (padding, 0), value=PAD)
    other.history_feedback = torch.nn.functional.pad(one.history_feedback, (0, 0, padding, 0), value=7.0)
    other.history_items[:, padding + place :] = 39
    with torch.no_grad():
        items = tracker.project_items()
        before, after = tracker.states(one, items), tracker.states(other, items)
    torch.testing.assert_close(after[:, padding : padding + place], before[:, :place], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after[:, padding + place], before[:, place], rtol=1e-4, atol=1e-5)


def test_states_in_context_see_later_items_and_only_a_bidirectional_tracker_has_them():
    tracker, observation = build("attention in both directions")
    later = observation.clone()
    later.history_items[:, -1] = (observation.history_items[:, -1] + 1) % 40
    present = observation.history_items[:, 0] != PAD
    with torch.no_grad():
        items = tracker.project_items()
        first, other = (tracker.states_in_context(one, items)[present, 0] for one in (observation, later))
        newest = tracker.states_in_context(observation, items)[:, -1]
        torch.testing.assert_close(newest, tracker(observation, items), rtol=1e-4, atol=1e-5)
    assert (first - other).abs().amax() > 0.01
    causal, observation = build("attention from the oldest")
    with pytest.raises(NotImplementedError, match="AttentionTracker does not read in both directions"):
        causal.states_in_context(observation, items)


def test_states_in_context_refuse_more_entries_than_there_are_positions():
    tracker, observation = build("attention in both directions", LENGTH + 1)
    with pytest.raises(ValueError, match=r"6 entries have no positions: state_tracker.history_length is 5"):
        tracker.states_in_context(observation, tracker.project_items())


@pytest.mark.parametrize("name", ["gru", "cnn", "attention post-norm"])
def test_dropout_is_applied_to_states_only_in_updates(name):
    tracker, config = TRACKERS[name]
    torch.manual_seed(0)
    spec = toy_spec(DATA)
    built = tracker(type(config)(**{**vars(config), "dropout": 0.5}), spec, DATA)
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(1))
    for states in (built, built.states):
        first, second = (states(observation, built.project_items()) for _ in range(2))
        assert not torch.equal(first, second)
        with torch.no_grad():
            first, second = (states(observation, built.project_items()) for _ in range(2))
        assert torch.equal(first, second)
    assert built.dropout_in_updates == 0.5


def test_beginnings_are_padded_in_front():
    observation = toy_observation(toy_spec(DATA, history_length=3), DATA, torch.Generator().manual_seed(0))[3:4]
    first, second, third = beginnings(observation).history_items.tolist()
    a, b, c = observation.history_items[0].tolist()
    assert [first, second, third] == [[PAD, PAD, a], [PAD, a, b], [a, b, c]]
    windows = trailing_windows(torch.tensor([[[1.0], [2.0], [3.0]]]), 2, -1)
    assert windows.squeeze().tolist() == [[-1.0, 1.0], [1.0, 2.0], [2.0, 3.0]]


def test_the_conformance_check_finds_states_that_see_later_items():
    class Leaking(MeanTracker):
        def states(self, observation, items):
            return self(observation, items).unsqueeze(1).expand(-1, observation.history_items.shape[1], -1)

    spec = toy_spec(DATA)
    torch.manual_seed(0)
    with pytest.raises(ConformanceError, match=r"states\(\) at a place must be forward\(\) of the history up to that place"):
        check_state_tracker(Leaking(MeanConfig(), spec, DATA), spec, DATA)
