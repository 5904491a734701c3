"""The sequence model: its losses in numpy, the masks of the Cloze task, padding, decisions, and refusals."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.components import Kind, contradictions
from recframe.interfaces import PAD, Sequences
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_observation, toy_spec
from recframe.testing.toy import toy_sequences
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig
from recframe_plugins.agents.sequence_models.sequence_model import SequenceModel
from recframe_plugins.agents.sequence_models.tasks import LAST_ONLY, Task, cloze_mask, cloze_task, next_item_task
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.config import AttentionConfig, GRUConfig
from recframe_plugins.state_trackers.recurrent import GRUTracker
from tests.agent_variants import check_variant

DATA = toy_data()
LENGTH = 6
SPEC = toy_spec(DATA, history_length=LENGTH)
PLAN = Sequences(4, LENGTH)
BOTH_WAYS = {"bidirectional": True, "norm_first": False}


def build(tracker=GRUTracker, tracker_config=None, spec=SPEC, **options):
    torch.manual_seed(0)
    built = tracker(tracker_config or GRUConfig(item_dim=8, state_dim=8), spec, DATA)
    return SequenceModel(SequenceModelConfig(**{"batch_size": 4, **options}), spec, built, seed=0)


def build_bert(**options):
    return build(AttentionTracker, AttentionConfig(item_dim=8, heads=2, **BOTH_WAYS), masked_share=0.3, **options)


def loss_of(agent, batch):
    ((name, loss),) = agent.losses(batch)
    assert name == "model"
    return loss


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "sampled", "negatives_popularity": 0.5},
        {"loss": "gbce"},
        {"whole_catalog_items": 10, "working_items": 12, "loss": "sampled", "negatives": 8},
    ],
    ids=["full", "sampled", "gbce", "large catalogue"],
)
def test_agent_conforms(options):
    component = registry().get(Kind.AGENT, "sequence_model")
    (check_variant if options else check_component)(component, component.config(batch_size=8, **options))


def test_full_loss_is_the_mean_cross_entropy_of_the_item_after_each_place():
    agent, batch = build(), toy_sequences(SPEC, PLAN, seed=0)
    loss = loss_of(agent, batch)
    with torch.no_grad():
        vectors = agent.state_tracker.project_items().double().numpy()
        weight, bias = agent.query.weight.double().numpy(), agent.query.bias.double().numpy()
        expected = []
        for row in range(len(batch)):
            items = batch.item[row]
            for place in range(LENGTH):
                if items[place] == PAD:
                    continue
                # the state of an observation whose history ends there
                observation = toy_observation(SPEC, DATA, torch.Generator().manual_seed(0), users=1)
                observation.user = batch.user[row : row + 1]
                observation.history_items = items[: place + 1].unsqueeze(0)
                observation.history_feedback = batch.feedback[row : row + 1, : place + 1]
                state = agent.state_tracker(observation, agent.state_tracker.project_items()).double().numpy()[0]
                z = vectors @ (weight @ state + bias)
                expected.append(np.log(np.exp(z).sum()) - z[items[place + 1]])
    assert len(expected) == int((batch.item[:, :-1] != PAD).sum())
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_sampled_loss_is_near_the_full_one_and_gbce_is_another():
    batch = toy_sequences(SPEC, PLAN, seed=0)
    full = loss_of(build(), batch).item()
    for exponent in (0.0, 1.0):
        agent = build(loss="sampled", negatives=2_000, negatives_popularity=exponent)
        assert np.mean([loss_of(agent, batch).item() for _ in range(5)]) == pytest.approx(full, rel=0.02)
    assert loss_of(build(loss="gbce"), batch).item() < full / 2


def padded(observation, pads):
    """The observation with that many PADs in front, and feedback there that must not be read."""
    wider = observation.clone()
    wider.history_items = F.pad(observation.history_items, (pads, 0), value=PAD)
    wider.history_feedback = F.pad(observation.history_feedback, (0, 0, pads, 0), value=9.0)
    return wider


@pytest.mark.parametrize("loss", ["full", "sampled", "gbce"])
@pytest.mark.parametrize("masked", [False, True])
def test_padding_in_front_changes_no_loss(loss, masked):
    batch = toy_sequences(SPEC, Sequences(4, 3), seed=0)
    task = cloze_task(batch, 0.5, torch.Generator().manual_seed(0)) if masked else next_item_task(batch)
    wider = Task(
        padded(task.observation, 2),
        F.pad(task.target, (2, 0), value=PAD),
        F.pad(task.masked, (2, 0)) if masked else None,
    )
    one, other = ((build_bert if masked else build)(loss=loss) for _ in range(2))
    torch.testing.assert_close(other.loss(wider), one.loss(task), rtol=1e-5, atol=1e-6)


def test_a_place_predicts_the_next_item_and_padding_predicts_nothing():
    batch = toy_sequences(SPEC, Sequences(3, 4), seed=1)
    batch.item[0] = torch.tensor([PAD, PAD, 7, 8, 9])
    task = next_item_task(batch)
    assert task.observation.history_items[0].tolist() == [PAD, PAD, 7, 8]
    assert task.target[0].tolist() == [PAD, PAD, 8, 9]
    assert torch.equal(task.observation.history_feedback, batch.feedback[:, :-1])
    assert task.masked is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1_000), share=st.floats(0.01, 0.95), length=st.integers(1, 6))
def test_a_masked_item_is_the_target_and_its_feedback_is_hidden(seed, share, length):
    batch = toy_sequences(SPEC, Sequences(8, length), seed)
    task = cloze_task(batch, share, torch.Generator().manual_seed(seed))
    assert task.masked.any(dim=1).all()
    assert not task.masked[batch.item == PAD].any()
    assert torch.equal(task.target != PAD, task.masked)
    assert torch.equal(task.target[task.masked], batch.item[task.masked])
    assert not task.observation.history_feedback[task.masked].any()
    shown = ~task.masked
    assert torch.equal(task.observation.history_feedback[shown], batch.feedback[shown])


def test_shares_of_masks():
    present = torch.ones(4_000, 20, dtype=torch.bool)
    masked = cloze_mask(present, 0.3, torch.Generator().manual_seed(0))
    last_only = masked.sum(dim=1).eq(1) & masked[:, -1]
    assert last_only.float().mean() == pytest.approx(LAST_ONLY, abs=0.02)
    assert masked[~last_only].float().mean() == pytest.approx(0.3, abs=0.01)


def test_masked_items_are_not_read():
    agent, batch = build_bert(), toy_sequences(SPEC, Sequences(4, LENGTH - 1), seed=0)
    task = cloze_task(batch, 0.3, torch.Generator().manual_seed(0))
    other = task.observation.clone()
    other.history_items = torch.where(task.masked, (task.observation.history_items + 1) % 40, task.observation.history_items)
    vectors = agent.state_tracker.project_items()
    with torch.no_grad():
        first, second = (agent.predictions(task._replace(observation=one), vectors)[0] for one in (task.observation, other))
    assert torch.equal(first, second)
    assert agent.experience == Sequences(4, LENGTH - 1)


def test_a_masked_model_recommends_from_a_mask_after_the_history():
    agent = build_bert()
    observation = toy_observation(SPEC, DATA, torch.Generator().manual_seed(0))
    agent.prepare_to_act()
    ranked = agent.rank(observation, 5)
    with torch.no_grad():
        vectors = agent.state_tracker.project_items()
        read = observation.clone()
        # the history has no room for all of its items and the mask: the oldest is left out
        read.history_items = torch.cat([observation.history_items[:, 1:], torch.full((len(read), 1), len(vectors))], dim=1)
        zeros = torch.zeros(len(read), 1, len(SPEC.signals))
        read.history_feedback = torch.cat([observation.history_feedback[:, 1:], zeros], dim=1)
        state = agent.state_tracker(read, torch.cat([vectors, agent.mask]))
        expected = (agent.query(state) @ vectors.T).topk(5, dim=1).indices
    assert torch.equal(ranked, expected)


def test_exploration_draws_items_by_their_probabilities():
    agent = build(spec=toy_spec(DATA, history_length=LENGTH))
    with torch.no_grad():
        agent.query.weight.mul_(3)
    one = toy_observation(SPEC, DATA, torch.Generator().manual_seed(0), users=6)[5:6]
    many = one.repeat_interleave(20_000, dim=0)
    agent.prepare_to_act()
    slate = agent.act(many, explore=True).slate.squeeze(1)
    with torch.no_grad():
        vectors = agent.state_tracker.project_items()
        probabilities = torch.softmax(agent.query(agent.state_tracker(one, vectors)) @ vectors.T, dim=1).squeeze(0)
    shares = slate.bincount(minlength=40) / len(slate)
    assert ((shares - probabilities).abs() < 5 * (probabilities / len(slate)).sqrt() + 1e-4).all()
    assert agent.act(one, explore=False).slate.item() == int(probabilities.argmax())


def test_impossible_combinations_are_refused():
    with pytest.raises(ValueError, match=r"agent\.masked_share needs a state tracker that reads in both directions"):
        build(masked_share=0.2)
    one = toy_spec(DATA, history_length=1)
    with pytest.raises(ValueError, match="leaves nothing to read of a history of one item"):
        build(AttentionTracker, AttentionConfig(history_length=1, **BOTH_WAYS), spec=one, masked_share=0.2)
    for rich in ({"has_context": True}, {"num_features": 2}):
        spec = toy_spec(DATA, **rich)
        with pytest.raises(ValueError, match="observations must have no context and no features"):
            SequenceModel(SequenceModelConfig(), spec, ToyTracker(spec, DATA), seed=0)
    (line,) = contradictions(SequenceModelConfig(negatives_popularity=0.5))
    assert line.startswith("agent.negatives_popularity is for agent.loss=sampled, not full")
    (line,) = contradictions(SequenceModelConfig(masked_share=0.5, sequence_length=9))
    assert line.startswith("agent.sequence_length is for predicting the next item")
    assert contradictions(SequenceModelConfig(loss="sampled", negatives_popularity=0.5, sequence_length=9)) == []


def test_sequences_may_be_longer_than_histories():
    assert build(sequence_length=30).experience == Sequences(4, 30)
    assert build().experience == Sequences(4, LENGTH)
