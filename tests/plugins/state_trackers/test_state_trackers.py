"""The built-in trackers that read histories: inputs that change the state, and inputs that must not."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, symlog
from recframe.testing import check_component, toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.cnn import CNNTracker
from recframe_plugins.state_trackers.config import (
    AttentionConfig,
    CNNConfig,
    GRUConfig,
    LSTMConfig,
    MeanConfig,
    StateTrackerConfig,
)
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.recurrent import GRUTracker, LSTMTracker
from recframe_plugins.state_trackers.registration import recframe_register_components

COMPONENTS = []
recframe_register_components(lambda component: COMPONENTS.append(component) if "features" not in component.requires else None)
# summaries has the options of the tracker in it, and refuses an encoder that reads no texts
WITH_OPTIONS = [component for component in COMPONENTS if component.name != "summaries"]
TRACKERS = [
    *((MeanTracker, MeanConfig()), (MeanTracker, MeanConfig(half_life=2.0)), (GRUTracker, GRUConfig()), (LSTMTracker, LSTMConfig())),
    *((CNNTracker, CNNConfig()), (AttentionTracker, AttentionConfig())),
]
NAMES = ["mean", "mean-half-life", "gru", "lstm", "cnn", "attention"]
DATA = toy_data()


def build(tracker, config, data=DATA, **choices):
    torch.manual_seed(0)
    spec = toy_spec(data, **choices)
    return tracker(config, spec, data), toy_observation(spec, data, torch.Generator().manual_seed(0), users=12)


def state(tracker, observation):
    with torch.no_grad():
        return tracker(observation, tracker.project_items())


def with_history(observation, items, feedback):
    changed = observation.clone()
    changed.history_items, changed.history_feedback = items, feedback
    return changed


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_tracker_conforms(component):
    check_component(component)


@pytest.mark.parametrize("component", WITH_OPTIONS, ids=lambda component: component.name)
def test_tracker_conforms_with_item_embeddings_and_unequal_sizes(component):
    check_component(component, component.config(item_dim=5, state_dim=7, id_embeddings=True))


@pytest.mark.parametrize("component", WITH_OPTIONS, ids=lambda component: component.name)
def test_tracker_conforms_without_text_vectors(component):
    check_component(component, data=toy_data(dim=0))


@pytest.mark.parametrize(("tracker", "config"), TRACKERS, ids=NAMES)
@settings(max_examples=30, deadline=None)
@given(
    history=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 1), st.integers(1, 5)), max_size=8),
    padding=st.integers(0, 9),
)
def test_prepended_padding_changes_nothing(tracker, config, history, padding):
    tracker, observation = build(tracker, config)
    one = observation[:1]

    def observed(pads):
        items = torch.tensor([[PAD] * pads + [item for item, _, _ in history]], dtype=torch.int64)
        feedback = torch.tensor([[[0, 0]] * pads + [[click, rating] for _, click, rating in history]], dtype=torch.float32)
        return with_history(one, items, feedback.view(1, -1, 2))

    torch.testing.assert_close(state(tracker, observed(1 + padding)), state(tracker, observed(1)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("tracker", "config"), TRACKERS, ids=NAMES)
def test_liking_and_disliking_an_item_give_different_states(tracker, config):
    tracker, observation = build(tracker, config)
    items = torch.full_like(observation.history_items, PAD)
    items[:, -1] = 3
    liked, disliked = (torch.zeros_like(observation.history_feedback) for _ in range(2))
    liked[:, -1], disliked[:, -1] = torch.tensor([1.0, 5.0]), torch.tensor([0.0, 1.0])
    apart = state(tracker, with_history(observation, items, liked)) - state(tracker, with_history(observation, items, disliked))
    assert (apart.norm(dim=1) > 0.1).all()


@pytest.mark.parametrize("feedback", ["film", "add", "none"])
def test_the_entries_are_what_the_encoding_of_feedback_says(feedback):
    tracker, observation = build(GRUTracker, GRUConfig(feedback=feedback))
    items = tracker.project_items()
    with torch.no_grad():
        entries = tracker.entries(observation, items)[0]
        vectors = items[observation.history_items.clamp(min=0)]
        said = symlog(observation.history_feedback)
        modulation = tracker.modulation
        factor = 1 + said @ modulation.scale.weight.T if feedback == "film" else 1
        summand = said @ modulation.shift.weight.T if feedback != "none" else 0
        torch.testing.assert_close(entries, factor * vectors + summand)
    assert ((entries - vectors).abs().max() > 0.1) == (feedback != "none")


@pytest.mark.parametrize(("tracker", "config"), TRACKERS, ids=NAMES)
@pytest.mark.parametrize("fusion", ["concat", "gated", "attention"])
@pytest.mark.parametrize("field", ["user", "context", "features", "history_items"])
def test_every_input_affects_the_state(tracker, config, fusion, field):
    tracker, observation = build(tracker, replace(config, fusion=fusion), has_context=True, num_features=2)
    changed = observation.clone()
    value = getattr(observation, field)
    if field == "history_items":
        changed.history_items = torch.where(value == PAD, PAD, (value + 1) % len(DATA.catalog))
    else:
        setattr(changed, field, value + 1 if field == "features" else (value + 1) % 3)
    differs = (state(tracker, changed) != state(tracker, observation)).any(dim=1)
    empty = (observation.history_items == PAD).all(dim=1)
    expected = {"history_items": ~empty, "user": observation.user != changed.user}.get(field, torch.ones_like(empty))
    assert torch.equal(differs, expected)


@pytest.mark.parametrize(("tracker", "config"), TRACKERS, ids=NAMES)
@pytest.mark.parametrize(
    "data",
    [
        DATA._replace(users=None, contexts=None),
        DATA._replace(users=replace(DATA.users, profiles=None)),
        DATA._replace(contexts=replace(DATA.contexts, vectors=None)),
        DATA._replace(interactions=None),
    ],
    ids=["no users", "no profiles", "contexts not encoded", "no interactions"],
)
def test_tracker_works_without_optional_inputs(tracker, config, data):
    tracker, observation = build(tracker, config, data=data, has_context=data.contexts is not None)
    states = state(tracker, observation)
    assert states.isfinite().all()
    assert not torch.allclose(states, states[:1])


def test_mean_ignores_order_without_a_half_life():
    for half_life, same in ((None, True), (2.0, False)):
        tracker, observation = build(MeanTracker, MeanConfig(half_life=half_life))
        full = observation[observation.history_items[:, 0] != PAD]
        turned = with_history(full, full.history_items.flip(1), full.history_feedback.flip(1))
        assert torch.allclose(state(tracker, turned), state(tracker, full), atol=1e-5) == same


def test_half_life_halves_the_weight_of_older_entries():
    tracker, _ = build(MeanTracker, MeanConfig(half_life=1.0))
    entries = torch.tensor([[[0.0], [8.0], [2.0], [1.0]]])
    summary = tracker.summarize(entries, torch.tensor([[False, True, True, True]]))
    torch.testing.assert_close(summary, torch.tensor([[(8 / 4 + 2 / 2 + 1) / (1 / 4 + 1 / 2 + 1)]]))


@pytest.mark.parametrize(("kind", "config"), [(GRUTracker, GRUConfig), (LSTMTracker, LSTMConfig)], ids=["gru", "lstm"])
def test_recurrent_tracker_reads_the_present_entries_in_order(kind, config):
    tracker, _ = build(kind, config(item_dim=3, state_dim=4))
    entries = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([0, 2, 5])
    present = torch.arange(5) >= 5 - lengths.unsqueeze(1)
    with torch.no_grad():
        summary = tracker.summarize(entries * present.unsqueeze(-1), present)
        alone = [tracker.recurrent(entries[row : row + 1, 5 - length :])[0][0, -1] for row, length in ((1, 2), (2, 5))]
    torch.testing.assert_close(summary, torch.stack([torch.zeros(4), *alone]))


@pytest.mark.parametrize(("tracker", "config"), TRACKERS, ids=NAMES)
def test_copies_share_the_text_vectors_and_checkpoints_exclude_them(tracker, config):
    tracker, _ = build(tracker, config, has_context=True)
    twin = copy.deepcopy(tracker)
    assert twin.item_projection.texts.shared_id == tracker.item_projection.texts.shared_id
    assert twin.fusion.parts["profile"].texts.shared_id == tracker.fusion.parts["profile"].texts.shared_id
    assert twin.fusion.parts["context"].texts.shared_id == tracker.fusion.parts["context"].texts.shared_id
    rows = {len(DATA.catalog), len(DATA.users), len(DATA.contexts.texts)}
    # the scale of the vectors is a number, and saved
    assert rows.isdisjoint({value.shape[0] for value in tracker.state_dict().values() if value.dim()} - {config.state_dim})


def test_symlog_keeps_small_values_and_compresses_large_ones():
    torch.testing.assert_close(
        symlog(torch.tensor([0.0, 1.0, -1.0, 1000.0])), torch.tensor([0.0, 0.6931, -0.6931, 6.9088]), atol=1e-4, rtol=0
    )


def test_all_trackers_share_their_common_options():
    assert all(issubclass(component.config, StateTrackerConfig) for component in WITH_OPTIONS)
    config = StateTrackerConfig()
    assert (config.history_length, config.item_dim, config.state_dim, config.id_embeddings) == (20, 64, 64, False)


def test_labels_of_the_current_text_affect_the_state():
    tracker, observation = build(MeanTracker, MeanConfig(reads=["labels"]), has_context=True)
    assert list(tracker.fusion.parts) == ["context_labels"]
    told = DATA.contexts.labels["sentiment"].probabilities
    # the labels of the last of the three texts are set to those of the first
    same = replace(DATA.contexts.labels["sentiment"], probabilities=told[[0, 1, 0]])
    deaf = DATA._replace(contexts=replace(DATA.contexts, labels={"sentiment": same}))
    other, _ = build(MeanTracker, MeanConfig(reads=["labels"]), data=deaf, has_context=True)
    first, last = observation.clone(), observation.clone()
    first.context, last.context = torch.zeros_like(observation.context), torch.full_like(observation.context, 2)
    assert not torch.allclose(state(tracker, first), state(tracker, last))
    assert torch.equal(state(other, first), state(other, last))


@pytest.mark.parametrize(
    ("reads", "parts"),
    [([], []), (["profile"], ["profile"]), (["context", "labels"], ["context", "context_labels"])],
)
def test_excluded_texts_do_not_affect_the_state(reads, parts):
    tracker, observation = build(MeanTracker, MeanConfig(reads=reads), has_context=True)
    assert list(tracker.fusion.parts) == parts
    moved = observation.clone()
    moved.context = (observation.context + 1) % 3
    assert torch.equal(state(tracker, observation), state(tracker, moved)) == ("context" not in reads)
