"""Filtered behaviour cloning and decision transformer: tasks and losses in numpy, and what they learn from a poor policy's log."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.components import Kind
from recframe.interfaces import PAD, Log, Observation, Sequences
from recframe.logs.sequences import SequenceSampler
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_spec, update
from recframe.testing.toy import toy_sequences
from recframe_plugins.agents.offline.config import DecisionTransformerConfig, FilteredBCConfig
from recframe_plugins.agents.offline.decision_transformer import DecisionTransformer, ReturnTask
from recframe_plugins.agents.offline.filtered_bc import FilteredBC
from recframe_plugins.agents.offline.returns import RecentReturns, sums_ahead
from recframe_plugins.agents.offline.reward_of_feedback import RewardOfFeedback, rewards_of

DATA = toy_data()
SPEC = toy_spec(DATA)
LENGTH = SPEC.history_length
SMALL_MODEL = {"width": 8, "layers": 1, "heads": 2}


def build(factory, config, spec=SPEC):
    torch.manual_seed(0)
    return factory(config, spec, ToyTracker(spec, DATA), seed=0)


def rewards(shape=(6, 9)):
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("filtered_bc", {}),
        ("filtered_bc", {"share": 0.5, "filter_by": "mean", "loss": "sampled", "negatives": 8}),
        ("decision_transformer", SMALL_MODEL),
        ("decision_transformer", SMALL_MODEL | {"target_return": 2.0, "horizon": 1}),
        ("decision_transformer", SMALL_MODEL | {"whole_catalog_items": 10, "working_items": 16, "batch_size": 4}),
    ],
)
def test_the_agents_pass_the_checks(name, options):
    component = registry().get(Kind.AGENT, name)
    check_component(component, component.config(**options))


@pytest.mark.parametrize("horizon", [1, 3, 9])
def test_sums_ahead_add_the_next_rewards(horizon):
    values = rewards()
    expected = [[sum(row[t : t + horizon]) for t in range(9 - horizon + 1)] for row in values.tolist()]
    np.testing.assert_allclose(sums_ahead(values, horizon).numpy(), expected, rtol=1e-5)


def test_recent_returns_forget_the_oldest_and_give_quantiles():
    memory = RecentReturns(5, torch.device("cpu"))
    assert memory.quantile(0.5) == 0
    kept = []
    for values in ([3.0, 1.0], [9.0, 4.0, 2.0], [7.0], list(range(10, 18))):
        memory.add(torch.tensor(values))
        kept = [*kept, *values][-5:]
        for share in (0.0, 0.3, 0.5, 0.9, 1.0):
            assert memory.quantile(share).item() == np.quantile(kept, share, method="lower")


def test_the_reward_of_feedback_is_exact_where_it_is_a_weighted_sum():
    model, generator = RewardOfFeedback(3, torch.device("cpu")), torch.Generator().manual_seed(0)
    assert model.coefficients().tolist() == [0, 0, 0, 0]
    for _ in range(3):
        feedback = torch.rand(50, 3, generator=generator)
        feedback[:, 2] = 1.0  # a signal that never varies
        model.learn(feedback, 0.5 * feedback[:, 0] - 2 * feedback[:, 1] + 0.25)
    feedback = torch.tensor([[[0.3, 0.7, 1.0], [1.0, 0.0, 1.0]]])
    torch.testing.assert_close(rewards_of(feedback, model.coefficients()), torch.tensor([[-1.0, 0.75]]), rtol=1e-3, atol=1e-3)


def cross_entropy(query, vectors, taken):
    scores = query @ vectors.T
    return np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(taken)), taken]


@pytest.mark.parametrize("by", ["return", "mean"])
def test_filtered_bc_is_the_cross_entropy_of_the_best_sequences(by):
    agent = build(FilteredBC, FilteredBCConfig(batch_size=20, share=0.3, filter_by=by))
    batch = toy_sequences(SPEC, agent.experience, 1)
    value = batch.reward.sum(dim=1).numpy() / (1 if by == "return" else (batch.item != PAD).sum(dim=1).numpy())
    kept = np.flatnonzero(value >= np.quantile(value, 0.7, method="lower"))
    assert 4 <= len(kept) <= 7
    losses = []
    with torch.no_grad():
        vectors = agent.state_tracker.project_items()
        for row in kept:
            for place in range(LENGTH):
                if batch.item[row, place] == PAD or (batch.clicked is not None and not batch.clicked[row, place + 1]):
                    continue
                history, feedback = batch.item[row : row + 1, : place + 1], batch.feedback[row : row + 1, : place + 1]
                observation = Observation(batch.user[row : row + 1], history, feedback, batch_size=[1])
                query = agent.query(agent.state_tracker(observation, vectors))
                losses += list(cross_entropy(query.numpy(), vectors.numpy(), [int(batch.item[row, place + 1])]))
    assert next(agent.losses(batch))[1].item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_batch_without_a_sequence_among_the_best_is_skipped():
    agent = build(FilteredBC, FilteredBCConfig(batch_size=4, share=0.1))
    agent.returns.add(torch.full((100,), 50.0))
    assert list(agent.losses(toy_sequences(SPEC, agent.experience, 1))) == []


def windows(horizon, terminated):
    """Full windows, and one that is shorter, as a log gives them."""
    batch = toy_sequences(SPEC, Sequences(5, LENGTH + horizon - 1), 4)
    known = torch.ones_like(batch.item, dtype=torch.bool)
    known[0, : LENGTH // 2 + horizon] = False
    items = torch.randint(SPEC.num_items, batch.item.shape, generator=torch.Generator().manual_seed(8))
    batch.item = torch.where(known, items, PAD)
    batch.feedback = rewards(batch.feedback.shape) * known[:, :, None]
    batch.reward = rewards(batch.reward.shape) * known
    batch.terminated = torch.full((5,), terminated)
    batch.terminated[0] = True  # the whole of a short sequence
    return batch


@pytest.mark.parametrize("terminated", [False, True])
@pytest.mark.parametrize("horizon", [1, 4])
def test_the_task_has_returns_that_are_known_to_the_horizon(horizon, terminated):
    batch = windows(horizon, terminated)
    task = ReturnTask.of(batch, LENGTH, horizon)
    width = LENGTH + horizon
    for row in range(5):
        start = width - LENGTH - 1 if batch.terminated[row] else 0
        assert task.observation.history_items[row].tolist() == batch.item[row, start : start + LENGTH].tolist()
        assert task.taken[row].tolist() == batch.item[row, start + 1 : start + LENGTH + 1].tolist()
        for place in range(LENGTH):
            ahead = batch.reward[row, start + place + 1 :][:horizon]
            assert batch.terminated[row] or len(ahead) == horizon
            assert task.returns[row, place].item() == pytest.approx(ahead.sum().item(), rel=1e-4, abs=1e-6)


def test_batches_narrower_than_a_window_are_padded_in_front():
    batch = windows(4, True)
    narrow = batch.clone()
    for name in ("item", "feedback", "reward", "timestamps"):
        setattr(narrow, name, getattr(batch, name)[:, -3:])
    task = ReturnTask.of(narrow, LENGTH, 4)
    assert (task.observation.history_items[:, :-2] == PAD).all()
    assert torch.equal(task.taken[:, -2:], narrow.item[:, 1:])
    torch.testing.assert_close(task.returns[:, -1], narrow.reward[:, -1])


def test_the_decision_transformers_loss_is_the_cross_entropy_at_known_places():
    agent = build(DecisionTransformer, DecisionTransformerConfig(horizon=3, **SMALL_MODEL))
    batch = windows(3, True)
    task = ReturnTask.of(batch, LENGTH, 3)
    with torch.no_grad():
        vectors = agent.model.state_tracker.project_items()
        query = agent.model(task.observation, task.returns / 3, vectors)
    learns = (task.observation.history_items != PAD) & (task.taken != PAD)
    expected = cross_entropy(query[learns].numpy(), vectors.numpy(), task.taken[learns].numpy()).mean()
    assert next(agent.losses(batch))[1].item() == pytest.approx(expected, rel=1e-4)


def test_a_place_sees_its_return_and_the_past_and_ignores_padding():
    agent = build(DecisionTransformer, DecisionTransformerConfig(horizon=3, **SMALL_MODEL))
    task = ReturnTask.of(windows(3, True), LENGTH, 3)
    with torch.no_grad():
        vectors = agent.model.state_tracker.project_items()
        query = agent.model(task.observation, task.returns, vectors)
        later = task.observation.clone()
        later.history_items[:, -1] = (later.history_items[:, -1] + 1) % SPEC.num_items
        returns = task.returns.clone()
        returns[:, -1] += 1
        torch.testing.assert_close(agent.model(later, returns, vectors)[1:, :-2], query[1:, :-2])
        # the item after place -2 is taken after its query
        torch.testing.assert_close(agent.model(later, task.returns, vectors)[1:, -2], query[1:, -2])
        assert not torch.allclose(agent.model(task.observation, returns, vectors)[:, -1], query[:, -1])
        # the first sequence is short: without its padding its queries are the same
        known = int((task.observation.history_items[0] != PAD).sum())
        part = Observation(
            task.observation.user[:1], task.observation.history_items[:1, -known:], task.observation.history_feedback[:1, -known:],
            batch_size=[1],
        )  # fmt: skip
        torch.testing.assert_close(agent.model(part, task.returns[:1, -known:], vectors), query[:1, -known:])


def test_acting_asks_for_the_target_after_what_the_history_has_earned():
    agent = build(DecisionTransformer, DecisionTransformerConfig(horizon=4, target_return=8.0, **SMALL_MODEL))
    weights = torch.tensor([1.0, 0.5, 0.0])
    observation = ReturnTask.of(windows(4, True), LENGTH, 4).observation
    found = agent.returns_to_come(observation, weights)
    for row in range(5):
        known = observation.history_items[row] != PAD
        earned = [*((observation.history_feedback[row] @ weights[:-1]) * known).tolist(), *[2.0] * 4]
        expected = [sum(earned[place + 1 : place + 5]) / 4 for place in range(LENGTH)]
        assert found[row].tolist() == pytest.approx(expected, rel=1e-4)
    assert (found[:, -1] == 2.0).all()


def test_the_target_is_a_quantile_of_the_returns_seen():
    agent = build(DecisionTransformer, DecisionTransformerConfig(horizon=3, target_quantile=0.8, **SMALL_MODEL))
    batch = windows(3, True)
    update(agent, agent.optimizers(), batch)
    task = ReturnTask.of(batch, LENGTH, 3)
    returns = task.returns[(task.observation.history_items != PAD) & (task.taken != PAD)]
    assert agent.diagnostics()["target_return"].item() == pytest.approx(np.quantile(returns.numpy(), 0.8, method="lower"))


OPENERS, BAIT, INVEST, HARVEST = (3, 4, 5), 0, 1, 2


def poor_log():
    """An opener, and then BAIT (0.6, the end), or INVEST (0) and in a third of the cases HARVEST (1)."""
    generator = torch.Generator().manual_seed(5)
    items, earned, offsets = [], [], [0]
    for draw, second, opener in torch.rand(1_500, 3, generator=generator).tolist():
        session = [(OPENERS[int(3 * opener)], 0.0)]
        if draw < 0.6:
            session.append((BAIT, 0.6))
        else:
            session += [(INVEST, 0.0), (HARVEST, 1.0) if second < 0.35 else (BAIT, 0.0)]
        items += [item for item, _ in session]
        earned += [reward for _, reward in session]
        offsets.append(len(items))
    rewards, offsets = torch.tensor(earned), torch.tensor(offsets)
    users = torch.zeros(len(items), dtype=torch.int64)
    feedback = torch.stack([torch.ones(len(items)), rewards], dim=1)  # everything was clicked
    return Log(users, torch.tensor(items), torch.arange(len(items)), ("click", "rating"), feedback, offsets, SPEC.num_items, 1, rewards)


def learned(agent, updates):
    """The agent after updates from the log."""
    sampler, optimizers = SequenceSampler(poor_log(), agent.experience, torch.Generator().manual_seed(1)), agent.optimizers()
    for _ in range(updates):
        update(agent, optimizers, sampler.draw())
    agent.prepare_to_act()
    return agent


def after(*history):
    """What is known after a history whose items brought nothing."""
    items = torch.full((1, LENGTH), PAD)
    items[0, LENGTH - len(history) :] = torch.tensor(history)
    feedback = torch.tensor([1.0, 0.0]) * (items != PAD).unsqueeze(2)
    return Observation(torch.zeros(1, dtype=torch.int64), items, feedback, batch_size=[1])


SESSIONS = toy_spec(DATA, signals=("click", "rating"))


@pytest.mark.slow
@pytest.mark.parametrize(("share", "first"), [(1.0, BAIT), (0.1, INVEST)])
def test_the_best_sequences_invest_where_most_take_the_bait(share, first):
    agent = learned(build(FilteredBC, FilteredBCConfig(learning_rate=1e-2, share=share), SESSIONS), 100)
    for opener in OPENERS:
        assert agent.rank(after(opener), 1).item() == first
        if first == INVEST:
            assert agent.rank(after(opener, INVEST), 1).item() == HARVEST


@pytest.mark.slow
def test_asked_for_a_higher_return_the_transformer_moves_towards_investing():
    agent = build(DecisionTransformer, DecisionTransformerConfig(learning_rate=1e-2, horizon=2, width=16), SESSIONS)
    learned(agent, 120)
    odds = {}
    for target in (0.6, 1.0):
        agent.config = replace(agent.config, target_return=target)
        agent.prepare_to_act()
        with torch.no_grad():
            items = agent.working_set.whole
            scores = agent.scores(after(OPENERS[0]), items, agent.project(items)).of(torch.tensor([[BAIT, INVEST]]))[0]
        odds[target] = float(scores[1] - scores[0])
    assert odds[1.0] > odds[0.6] + 0.2


@pytest.mark.parametrize("factory", [FilteredBC, DecisionTransformer])
def test_observations_that_sequences_lack_are_refused(factory):
    config = FilteredBCConfig() if factory is FilteredBC else DecisionTransformerConfig()
    with pytest.raises(ValueError, match="observations must have no context and no features"):
        build(factory, config, toy_spec(DATA, num_features=3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 10, "heads": 4}, r"agent\.width \(10\) must be a multiple of agent\.heads \(4\)"),
        ({"target_return": 1.0, "target_quantile": 0.5}, r"agent\.target_return=1 and agent\.target_quantile=0\.5 both set"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(DecisionTransformer, DecisionTransformerConfig(**options))
