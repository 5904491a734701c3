"""Fusions of the history's summary with the other inputs, and each input."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recframe.interfaces import PAD
from recframe.testing import check_state_tracker, toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.cnn import CNNTracker
from recframe_plugins.state_trackers.config import AttentionConfig, CNNConfig, GRUConfig, LSTMConfig, MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.recurrent import GRUTracker, LSTMTracker

DATA = toy_data()
FUSIONS = ["concat", "gated", "attention"]
TRACKERS = {
    "mean": (MeanTracker, MeanConfig),
    "gru": (GRUTracker, GRUConfig),
    "lstm": (LSTMTracker, LSTMConfig),
    "cnn": (CNNTracker, CNNConfig),
    "attention": (AttentionTracker, AttentionConfig),
}
ALL = {"id_embeddings": True, "id_gate": True, "user_embeddings": True}


def build(name="mean", data=DATA, rich=True, **options):
    tracker, config = TRACKERS[name]
    torch.manual_seed(0)
    spec = toy_spec(data, has_context=rich, num_features=3 if rich else 0)
    return tracker(config(**options), spec, data), toy_observation(spec, data, torch.Generator().manual_seed(0), users=12)


def state(tracker, observation):
    with torch.no_grad():
        return tracker(observation, tracker.project_items())


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", TRACKERS)
def test_every_tracker_conforms_with_every_fusion_and_all_inputs(name, fusion):
    tracker, _ = build(name, fusion=fusion, item_dim=6, state_dim=7, **ALL)
    check_state_tracker(tracker, tracker.spec, DATA)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", TRACKERS)
def test_every_fusion_works_with_the_history_only(name, fusion):
    alone = DATA._replace(users=None, contexts=None)
    tracker, observation = build(name, alone, rich=False, fusion=fusion)
    assert len(tracker.fusion.parts) == 0
    check_state_tracker(tracker, tracker.spec, alone)
    empty = (observation.history_items == PAD).all(dim=1)
    states = state(tracker, observation)
    assert torch.equal(states[empty], states[empty][:1].expand_as(states[empty]))


def test_unused_inputs_do_not_change_initial_weights():
    tracker, _ = build(reads=["profile", "context"])
    torch.manual_seed(0)
    items, scale, shift = nn.Linear(16, 64), nn.Linear(2, 64, bias=False), nn.Linear(2, 64, bias=False)
    profile, context, mix, norm = nn.Linear(16, 64), nn.Linear(16, 64), nn.Linear(3 * 64 + 3, 64), nn.LayerNorm(64)
    drawn = [p for layer in (items, scale, shift, profile, context, mix, norm) for p in layer.parameters()]
    parameters = list(tracker.parameters())
    assert len(parameters) == len(drawn)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(parameters, drawn, strict=True))


def parts(tracker, observation, summary):
    return [summary, *(part(observation) for part in tracker.fusion.parts.values())]


def test_gates_of_each_part_depend_on_all_parts():
    tracker, observation = build(fusion="gated", state_dim=8)
    fusion, summary = tracker.fusion, torch.randn(12, 64)
    with torch.no_grad():
        vectors = parts(tracker, observation, summary)
        gates = torch.sigmoid(fusion.gates(torch.cat(vectors, dim=1))).chunk(len(vectors), dim=1)
        mixed = sum(gate * torch.tanh(layer(x)) for gate, layer, x in zip(gates, fusion.contents, vectors, strict=True))
        torch.testing.assert_close(fusion(summary, observation), F.relu(fusion.norm(mixed)))


def test_attention_queries_all_parts_with_the_summary():
    tracker, observation = build(fusion="attention", state_dim=8)
    fusion, summary = tracker.fusion, torch.randn(12, 64)
    with torch.no_grad():
        tokens = [layer(x) for layer, x in zip(fusion.tokens, parts(tracker, observation, summary), strict=True)]
        query, tokens = fusion.query(summary).unsqueeze(1), torch.stack(tokens, dim=1)
        mixed = F.scaled_dot_product_attention(query, fusion.key(tokens), tokens).squeeze(1)
        torch.testing.assert_close(fusion(summary, observation), F.relu(fusion.norm(mixed)))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_user_vectors_are_learned_and_stay_zero_for_unseen_users(fusion):
    data = DATA._replace(users=replace(DATA.users, profiles=None))
    tracker, observation = build(data=data, fusion=fusion, user_embeddings=True)
    optimizer = torch.optim.Adam(tracker.parameters(), lr=0.01)
    observation.user = torch.arange(12) % 3
    for _ in range(5):
        optimizer.zero_grad()
        (tracker(observation, tracker.project_items()) * observation.user.unsqueeze(1)).sum().backward()
        optimizer.step()
    learned = tracker.fusion.parts["user"].embedding.detach()
    assert (learned[:3].abs() > 0).any(dim=1).tolist() == [False, True, True]  # user 0 has no loss
    assert not learned[3:].any()
    one = observation[:1].repeat(4)
    one.user = torch.tensor([1, 2, 40, 50])
    first, second, *never_met = state(tracker, one)
    assert torch.equal(*never_met)
    assert not torch.equal(first, second)
    assert not torch.equal(first, never_met[0])


@pytest.mark.parametrize(("data", "has_users"), [(DATA._replace(users=None), True), (DATA, False)], ids=["no users", "unidentified users"])
def test_user_embeddings_require_identified_users(data, has_users):
    with pytest.raises(ValueError, match=r"^state_tracker\.user_embeddings needs users that are in the data[^\n]*$"):
        MeanTracker(MeanConfig(user_embeddings=True), replace(toy_spec(data), has_users=has_users), data)


def test_texts_with_vectors_of_length_zero_are_not_used():
    tracker, observation = build(data=toy_data(dim=0), user_embeddings=True, reads=["profile", "context"])
    assert list(tracker.fusion.parts) == ["features", "user"]
    assert state(tracker, observation).isfinite().all()
