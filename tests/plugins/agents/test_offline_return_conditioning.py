"""The decision transformer: its tokens in numpy, the same in training and in acting, and policies that earn what they are asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.components import Kind
from recframe.interfaces import PAD, Observation, Sequences
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_spec, update
from recframe.testing.toy import toy_sequences
from recframe_plugins.agents.offline.config import DecisionTransformerConfig
from recframe_plugins.agents.offline.decision_transformer import DecisionTransformer
from recframe_plugins.agents.offline.return_task import ReturnTask
from recframe_plugins.agents.offline.return_tokens import present_places
from recframe_plugins.agents.offline.returns import ReturnScale
from tests.agent_variants import check_variant

DATA = toy_data()
SPEC = toy_spec(DATA)
LENGTH = SPEC.history_length
SMALL_MODEL = {"width": 8, "layers": 1, "heads": 2}


def build(spec=SPEC, **options):
    torch.manual_seed(0)
    return DecisionTransformer(DecisionTransformerConfig(**SMALL_MODEL | options), spec, ToyTracker(spec, DATA), seed=0)


@pytest.mark.parametrize(
    "options",
    [{}, {"target_return": 2.0, "horizon": 1}, {"whole_catalog_items": 10, "working_items": 16, "batch_size": 4}],
    ids=["defaults", "target", "working_sets"],
)
def test_the_agent_passes_the_checks(options):
    component = registry().get(Kind.AGENT, "decision_transformer")
    (check_variant if options else check_component)(component, component.config(**SMALL_MODEL | options))


def windows(horizon, lengths, terminated):
    """As a log gives them: sequences of these lengths, of which those longer than a window are windows of one."""
    width, generator = LENGTH + horizon, torch.Generator().manual_seed(8)
    batch = toy_sequences(SPEC, Sequences(len(lengths), width - 1), 4)
    known = torch.arange(width) >= width - torch.tensor(lengths)[:, None]
    items = torch.randint(SPEC.num_items, known.shape, generator=generator)
    batch.item = torch.where(known, items, PAD)
    batch.feedback = torch.rand(*known.shape, len(SPEC.signals), generator=generator) * known[:, :, None]
    batch.reward = batch.feedback @ torch.tensor(WORTH)
    batch.terminated = torch.tensor(terminated)
    return batch


WORTH = [0.7, -0.2]
"""The reward as a weighted sum of the toy signals."""


def task_of(batch, horizon, seed=0):
    return ReturnTask.of(batch, LENGTH, horizon, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("horizon", [1, 4])
def test_returns_are_the_rewards_still_to_come_at_every_place_that_is_read(horizon):
    full = LENGTH + horizon
    lengths, terminated = [2, LENGTH, LENGTH + 1, full - 1, full, full], [True, True, True, True, True, False]
    batch = windows(horizon, lengths, terminated)
    begun = [set() for _ in lengths]
    for seed in range(40):
        task = task_of(batch, horizon, seed)
        for row, length in enumerate(lengths):
            items, rewards = batch.item[row, -length:].tolist(), batch.reward[row, -length:].tolist()
            taken = [item for item in task.taken[row].tolist() if item != PAD]
            read = [item for item in task.observation.history_items[row].tolist() if item != PAD]
            # the items taken are a part of the sequence, and the first one is taken before anything is read if it begins the sequence
            start = next(i for i in range(length) if items[i : i + len(taken)] == taken)
            begun[row].add(start)
            assert len(taken) == LENGTH or (start, len(taken)) == (0, length)
            assert read == items[start - (start > 0) : start + len(taken) - 1][-LENGTH:]
            expected = [sum(rewards[start + place :]) for place in range(len(taken))]
            np.testing.assert_allclose(task.returns[row, -len(taken) :].numpy(), expected, atol=1e-5)
            assert task.first_returns[row].item() == pytest.approx(expected[0], abs=1e-5)
    for row, length in enumerate(lengths):
        # of a window of a longer sequence it is not known how it began, and if it goes on, rewards must be known up to the horizon
        first, last = (0, max(length - LENGTH, 0)) if length < full else (1, horizon if terminated[row] else 1)
        assert begun[row] == set(range(first, last + 1))


def test_batches_narrower_than_a_window_hold_whole_sequences():
    batch = windows(4, [2, 3, 3], [True] * 3)
    narrow = batch.clone()
    for name in ("item", "feedback", "reward", "timestamps"):
        setattr(narrow, name, getattr(batch, name)[:, -3:])
    for ours, theirs in zip(task_of(narrow, 4)[1:], task_of(batch, 4)[1:], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_scale_of_returns_is_that_of_all_seen():
    scale, returns = ReturnScale(torch.device("cpu")), 5 + 3 * torch.randn(60, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(scale.standardized(returns), returns)  # nothing is known yet
    for part in returns.split(25):
        scale.add(part)
    values = returns.numpy()
    np.testing.assert_allclose(scale.standardized(returns).numpy(), (values - values.mean()) / values.std(), atol=1e-4)
    equal = ReturnScale(torch.device("cpu"))
    equal.add(torch.full((9,), 7.0))
    assert equal.standardized(torch.tensor([7.0, 9.0])).tolist() == [0.0, 2.0]


def test_the_loss_is_the_cross_entropy_of_the_items_taken():
    agent = build(horizon=3)
    batch = windows(3, [2, LENGTH, LENGTH + 2, LENGTH + 3, LENGTH + 3], [True, True, True, True, False])
    task = task_of(batch, 3)
    learns = task.taken != PAD
    assert learns[0].tolist() == [False] * (LENGTH - 2) + [True] * 2
    returns = task.returns.numpy()
    mean, deviation = returns[learns.numpy()].mean(), returns[learns.numpy()].std()
    with torch.no_grad():
        vectors = agent.model.state_tracker.project_items()
        query = agent.model(task.observation, (task.returns - mean) / deviation, vectors)
        scores = (query @ vectors.T)[learns].double().numpy()
    expected = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(scores)), task.taken[learns].numpy()])
    agent.generator.manual_seed(0)
    assert next(agent.losses(batch))[1].item() == pytest.approx(expected, rel=1e-4)


def test_a_place_sees_its_return_and_the_past_and_ignores_padding():
    agent = build(horizon=3)
    task = task_of(windows(3, [2, LENGTH, LENGTH + 3, LENGTH + 3], [True, True, True, False]), 3)
    with torch.no_grad():
        vectors = agent.model.state_tracker.project_items()
        query = agent.model(task.observation, task.returns, vectors)
        later, returns = task.observation.clone(), task.returns.clone()
        later.history_items[:, -1] = (later.history_items[:, -1] + 1) % SPEC.num_items
        returns[:, -1] += 1
        # the item of the last place is the one taken after the place before, which must not see it
        torch.testing.assert_close(agent.model(later, returns, vectors)[1:, :-1], query[1:, :-1])
        assert not torch.isclose(agent.model(task.observation, returns, vectors)[:, -1], query[:, -1]).all(dim=1).any()
        before = task.returns.clone()
        before[:, -2] += 1  # an earlier return is seen
        assert not torch.isclose(agent.model(task.observation, before, vectors)[:, -1], query[:, -1]).all(dim=1).any()
        # of the first sequence one item is read, after its beginning
        assert present_places(task.observation.history_items)[0].tolist() == [False] * (LENGTH - 2) + [True] * 2
        seen = task.observation[:1]
        part = Observation(seen.user, seen.history_items[:, -2:], seen.history_feedback[:, -2:], batch_size=[1])
        torch.testing.assert_close(agent.model(part, task.returns[:1, -2:], vectors), query[:1, -2:])


def test_acting_asks_for_the_target_minus_what_was_received():
    agent = build(target_return=8.0)
    observation = task_of(windows(4, [1, 2, LENGTH, LENGTH + 4], [True] * 4), 4).observation
    found = agent.returns_to_come(observation, torch.tensor([*WORTH, 0.1]))
    for row, history in enumerate(observation.history_items.tolist()):
        rewards = [0.1 + WORTH[0] * click + WORTH[1] * rating for click, rating in observation.history_feedback[row].tolist()]
        still = 8.0
        for place, item in enumerate(history):
            # what was earned before the oldest item of a full history, and with it, is not known to be part of the target
            still -= rewards[place] if item != PAD and place > 0 else 0.0
            assert found[row, place].item() == pytest.approx(still, rel=1e-5)


def test_acting_reads_what_training_read_when_the_target_is_the_return_that_followed():
    """Step by step through logged sequences: the same tokens, so the same scores."""
    agent = build(horizon=3)
    batch = windows(3, [2, LENGTH, LENGTH], [True] * 3)
    update(agent, agent.optimizers(), batch)
    task = task_of(batch, 3)
    with torch.no_grad():
        vectors = agent.model.state_tracker.project_items()
        learned = agent.queries(task.observation, task.returns, vectors)
        for row in range(3):
            agent.config = replace(agent.config, target_return=task.first_returns[row].item())
            items = task.taken[row][task.taken[row] != PAD]
            feedback = batch.feedback[row, -len(items) :]
            for step in range(len(items)):
                history = torch.full((1, LENGTH), PAD)
                history[0, LENGTH - step :] = items[:step]
                known = torch.zeros(1, LENGTH, len(SPEC.signals))
                known[0, LENGTH - step :] = feedback[:step]
                observation = Observation(batch.user[row : row + 1], history, known, batch_size=[1])
                scores = agent.scores(observation, agent.working_set.whole, agent.project(agent.working_set.whole))
                expected = learned[row, LENGTH - len(items) + step] @ vectors.T
                torch.testing.assert_close(scores.of(torch.arange(SPEC.num_items)[None])[0], expected, rtol=1e-3, atol=1e-3)


def test_the_target_is_a_quantile_of_the_returns_at_first_places():
    agent = build(horizon=3, target_quantile=0.8)
    batch = windows(3, [2, LENGTH, LENGTH + 2, LENGTH + 3, 3], [True] * 5)
    agent.generator.manual_seed(0)
    update(agent, agent.optimizers(), batch)
    returns = task_of(batch, 3).first_returns
    assert agent.diagnostics()["target_return"].item() == pytest.approx(np.quantile(returns.numpy(), 0.8, method="lower"))


def test_observations_that_sequences_lack_are_refused():
    with pytest.raises(ValueError, match="observations must have no context and no features"):
        build(toy_spec(DATA, num_features=3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 10, "heads": 4}, r"agent\.width \(10\) must be a multiple of agent\.heads \(4\)"),
        ({"target_return": 1.0, "target_quantile": 0.5}, r"agent\.target_return=1 and agent\.target_quantile=0\.5 both set"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
