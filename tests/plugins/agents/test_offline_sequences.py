"""Filtered behaviour cloning: its loss in numpy, what it learns from a poor policy's log, and what is known of returns and rewards."""

import numpy as np
import pytest
import torch

from recframe.components import Kind
from recframe.interfaces import PAD, Log, Observation
from recframe.logs.sequences import SequenceSampler
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_spec, update
from recframe.testing.toy import toy_sequences
from recframe_plugins.agents.offline.config import FilteredBCConfig
from recframe_plugins.agents.offline.filtered_bc import FilteredBC
from recframe_plugins.agents.offline.returns import RecentReturns
from recframe_plugins.agents.offline.reward_of_feedback import RewardOfFeedback, rewards_of
from tests.agent_variants import check_variant

DATA = toy_data()
SPEC = toy_spec(DATA)
LENGTH = SPEC.history_length


def build(factory, config, spec=SPEC):
    torch.manual_seed(0)
    return factory(config, spec, ToyTracker(spec, DATA), seed=0)


@pytest.mark.parametrize("options", [{}, {"share": 0.5, "filter_by": "mean", "loss": "sampled", "negatives": 8}])
def test_filtered_bc_passes_the_checks(options):
    component = registry().get(Kind.AGENT, "filtered_bc")
    (check_variant if options else check_component)(component, component.config(**options))


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


def test_observations_that_sequences_lack_are_refused():
    with pytest.raises(ValueError, match="observations must have no context and no features"):
        build(FilteredBC, FilteredBCConfig(), toy_spec(DATA, num_features=3))
