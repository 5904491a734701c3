"""The experiment embedding_lstm_two_head: one loss of two heads trains the vectors of users, items and texts, and the LSTM."""

import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.experience import Collector, batch_source_for
from recframe.testing import update

CHOICES = ["experiment=embedding_lstm_two_head", "encoder=tfidf", "logger=null", "dataset.num_items=60", "dataset.num_users=50"]


def test_the_loss_trains_the_lstm_and_the_vectors_of_users_items_and_texts(tmp_path):
    parts = assemble(compose_config([*CHOICES, f"embeddings.cache={tmp_path}"]))
    environment = parts.environment(16, "train")
    agent = parts.agent(environment)
    assert len(agent.optimizers()) == 1
    network = agent.network
    assert network.value_tracker is None
    tracker = network.state_tracker
    watched = {
        "text": tracker.item_projection.linear.weight,
        "items": tracker.item_projection.embedding,
        "users": tracker.fusion.parts["user"].embedding,
        "lstm": tracker.recurrent.weight_hh_l0,
        "policy": next(network.policy.parameters()),
        "value": network.value.weight,
    }
    before = {name: parameter.detach().clone() for name, parameter in watched.items()}
    source = batch_source_for(agent.experience, 0, "cpu")
    collector, optimizers = Collector(environment, parts.rewards, 1), agent.optimizers()
    agent.prepare_to_act()
    seen_users = set()
    for _ in range(8):
        seen_users |= set(collector.observation.user.tolist())
        source.add(collector.step(agent))
    for batch in source.batches():
        update(agent, optimizers, batch)
    assert all(not torch.equal(parameter, before[name]) for name, parameter in watched.items())
    changed = {user for user, vector in enumerate(watched["users"]) if vector.any()}
    assert changed
    assert changed <= seen_users
