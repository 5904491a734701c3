"""Values of slates and the slate optimizers, compared with all possible slates."""

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD
from recframe.item_agents import QNetwork
from recframe.item_agents import search as item_search
from recframe.testing import ToyTracker, toy_data, toy_observation, toy_spec
from recframe_plugins.agents.q_learning.slates import ClickModel, SlateScores, greedy_slate, top_k_slate

ITEMS, USERS = 12, 9
DATA = toy_data(num_items=ITEMS)


def scores_of(observation, spec, seed=0):
    """Values and utilities of networks with large weights."""
    torch.manual_seed(seed)
    networks = QNetwork(ToyTracker(spec, DATA), spec.device), ClickModel(ToyTracker(spec, DATA), spec.device)
    scores = []
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.mul_(2.0)
            scores.append(network(observation, network.state_tracker.project_items()))
    return SlateScores(*scores)


def written_out(scores, slate):
    """sum_{i in A or none} P(i | s, A) Q(s, i) of one slate for all users, `[N]`, with the click model's probabilities."""
    chosen = torch.tensor(slate).expand(USERS, -1)
    weights = np.exp(np.pad(scores.utilities.of(chosen).numpy(), ((0, 0), (0, 1))))
    values = np.concatenate([scores.values.of(chosen).numpy(), scores.values.value.numpy()[:, None]], axis=1)
    return (weights * values).sum(axis=1) / weights.sum(axis=1)


@pytest.fixture
def world():
    def build(slate_size=2, **choices):
        spec = toy_spec(DATA, slate_size=slate_size, num_users=USERS, **choices)
        observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0))
        return observation, scores_of(observation, spec)

    return build


def allowed_to(observation, user):
    candidates = range(ITEMS) if observation.candidates is None else observation.candidates[user].tolist()
    excluded = [] if observation.excluded is None else observation.excluded[user].tolist()
    return [item for item in candidates if item != PAD and item not in excluded]


def test_click_probabilities_follow_a_conditional_logit():
    utilities = torch.tensor([[0.0, np.log(2.0), np.log(5.0)]], dtype=torch.float32)
    probabilities = ClickModel.log_probabilities(None, utilities).exp()
    torch.testing.assert_close(probabilities, torch.tensor([[1.0, 2.0, 5.0, 1.0]]) / 9)


def test_the_value_of_a_slate_is_the_expected_value_of_the_choice(world):
    _, scores = world()
    for slate in permutations(range(ITEMS), 2):
        value = scores.slate_value(torch.tensor(slate).expand(USERS, -1))
        np.testing.assert_allclose(value, written_out(scores, slate), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("choices", [{}, {"num_candidates": 7}, {"num_candidates": 8, "num_excluded": 3}])
def test_the_greedy_optimizer_adds_the_item_of_the_largest_gain(choices, world):
    observation, scores = world(slate_size=3, **choices)
    slates = greedy_slate(observation, scores, ITEMS, 3, shortlist=ITEMS)
    for user in range(USERS):
        slate = []
        for _ in range(3):
            rest = [item for item in allowed_to(observation, user) if item not in slate]
            slate.append(max(rest, key=lambda item: written_out(scores, [*slate, item])[user]))
        assert slates[user].tolist() == slate


@pytest.mark.parametrize("choices", [{}, {"num_candidates": 7}, {"num_candidates": 8, "num_excluded": 3}])
def test_the_top_k_optimizer_takes_value_times_propensity(choices, world):
    observation, scores = world(slate_size=3, **choices)
    everything = torch.arange(ITEMS).expand(USERS, -1)
    measure = np.exp(scores.utilities.of(everything).numpy()) * (
        scores.values.of(everything).numpy() - scores.values.value.numpy()[:, None]
    )
    slates = top_k_slate(observation, scores, ITEMS, 3)
    for user in range(USERS):
        assert slates[user].tolist() == sorted(allowed_to(observation, user), key=lambda item: -measure[user, item])[:3]


def test_greedy_slates_are_close_to_the_best_slates(world):
    observation, scores = world()
    best = np.max([written_out(scores, slate) for slate in combinations(range(ITEMS), 2)], axis=0)
    random = np.mean([written_out(scores, slate) for slate in combinations(range(ITEMS), 2)], axis=0)
    reached = {
        "greedy": scores.slate_value(greedy_slate(observation, scores, ITEMS, 2, ITEMS)).numpy(),
        "shortlisted": scores.slate_value(greedy_slate(observation, scores, ITEMS, 2, 4)).numpy(),
        "top_k": scores.slate_value(top_k_slate(observation, scores, ITEMS, 2)).numpy(),
    }
    shares = {name: ((value - random) / (best - random)).mean() for name, value in reached.items()}
    assert all((value <= best + 1e-5).all() for value in reached.values())
    assert shares["greedy"] > 0.97
    assert shares["shortlisted"] > 0.97
    assert 0.5 < shares["top_k"] <= shares["greedy"]


def test_a_shortlist_of_k_items_gives_the_top_k_slate(world):
    observation, scores = world(slate_size=3)
    short, top = greedy_slate(observation, scores, ITEMS, 3, shortlist=1), top_k_slate(observation, scores, ITEMS, 3)
    assert torch.equal(short.sort(dim=1).values, top.sort(dim=1).values)


@pytest.mark.parametrize("choices", [{}, {"num_candidates": 7}, {"num_excluded": 3}])
def test_a_catalogue_too_large_to_score_at_once_gives_the_same_slates(choices, world, monkeypatch):
    observation, scores = world(slate_size=3, **choices)
    expected = greedy_slate(observation, scores, ITEMS, 3, 5), top_k_slate(observation, scores, ITEMS, 3)
    monkeypatch.setattr(item_search, "MAX_SCORES", 4 * USERS)
    found = greedy_slate(observation, scores, ITEMS, 3, 5), top_k_slate(observation, scores, ITEMS, 3)
    assert all(torch.equal(left, right) for left, right in zip(expected, found, strict=True))


def test_unbounded_utilities_give_finite_values(world):
    observation, scores = world()
    sure = scores._replace(utilities=replace(scores.utilities, value=scores.utilities.value + 1_000.0))
    slate = greedy_slate(observation, sure, ITEMS, 2, ITEMS)
    assert sure.slate_value(slate).isfinite().all()
    assert (slate[:, 0] != slate[:, 1]).all()
