"""Metrics equal their definitions, computed directly."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.evaluation.exposure import coverage, exposure_intervals, gini
from recframe.evaluation.simulated.metrics import policy_metrics, session_diversity
from recframe.evaluation.simulated.rollout import Episodes
from recframe.interfaces import Catalog, self_information

M = 7


@st.composite
def sessions(draw):
    """Episodes of random lengths, and the text vectors of their items."""
    turns, users, k = draw(st.integers(1, 5)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    slates = torch.rand(turns, users, M, generator=generator).topk(k, dim=2).indices
    lengths = torch.randint(1, turns + 1, (users,), generator=generator)
    alive = torch.arange(turns)[:, None] < lengths
    item_rewards = torch.randn(turns, users, k, generator=generator) * alive[..., None]
    clicks = (torch.rand(turns, users, k, generator=generator) < 0.4) * alive[..., None] * 1.0
    vectors = torch.randn(M, 4, generator=generator)
    vectors[0] = 0.0
    return Episodes(slates, alive, item_rewards, {"accuracy": item_rewards.sum(2)}, clicks), vectors


def make_catalog(vectors):
    names = [str(i) for i in range(M)]
    return Catalog(names, names, pl.DataFrame({"title": names}), torch.arange(M).float(), vectors)


def shown_to(episodes, user):
    """The items shown to a user in the first session, in order."""
    return [item for turn in range(len(episodes.alive)) if episodes.alive[turn, user] for item in episodes.slates[turn, user].tolist()]


@settings(max_examples=40, deadline=None)
@given(sessions())
def test_metrics_equal_their_definitions(case):
    episodes, vectors = case
    lists = [shown_to(episodes, user) for user in range(episodes.alive.shape[1])]
    everything = list(itertools.chain(*lists))
    metrics = policy_metrics(episodes, make_catalog(vectors), resamples=50)
    counts = np.bincount(everything, minlength=M)

    assert metrics["length"]["mean"] == pytest.approx(len(everything) / len(lists) / episodes.slates.shape[2])
    assert metrics["return"]["mean"] == pytest.approx(float(episodes.item_rewards.sum()) / len(lists), abs=1e-5)
    assert metrics["reward/accuracy"]["mean"] == pytest.approx(metrics["return"]["mean"], abs=1e-5)
    assert metrics["click_rate"]["mean"] == pytest.approx(float(episodes.clicks.sum()) / len(everything))
    assert metrics["coverage"]["mean"] == pytest.approx(len(set(everything)) / M)
    pairwise = sum(abs(int(a) - int(b)) for a in counts for b in counts)
    assert metrics["gini"]["mean"] == pytest.approx(pairwise / (2 * M * counts.sum()))
    popularity = np.array([math.log2((1 + i) / (sum(range(M)) + M)) for i in range(M)])
    assert metrics["novelty"]["mean"] == pytest.approx(-popularity[everything].mean())
    for metric in metrics.values():
        assert set(metric) == {"mean", "low", "high", "n"}
        assert metric["low"] - 1e-9 <= metric["mean"] <= metric["high"] + 1e-9 or metric["n"] < 4


@settings(max_examples=40, deadline=None)
@given(sessions())
def test_diversity_is_the_mean_distance_over_all_pairs(case):
    episodes, vectors = case
    diversity = session_diversity(episodes, vectors)
    for user in range(episodes.alive.shape[1]):
        pairs = list(itertools.combinations(shown_to(episodes, user), 2))
        if not pairs:
            assert diversity[user].isnan()
            continue
        distances = [1 - torch.cosine_similarity(vectors[a].double(), vectors[b].double(), dim=0) for a, b in pairs]
        assert float(diversity[user]) == pytest.approx(float(sum(distances) / len(pairs)), abs=1e-6)


def test_diversity_ignores_users_shown_one_item_and_is_missing_if_all_are():
    slates = torch.tensor([[[0], [1]], [[1], [2]]])
    alive = torch.tensor([[True, True], [False, True]])
    vectors = torch.eye(M)
    episodes = Episodes(slates, alive, torch.zeros(2, 2, 1), {}, None)
    metrics = policy_metrics(episodes, make_catalog(vectors))
    assert metrics["diversity"]["mean"] == pytest.approx(1.0)
    assert metrics["diversity"]["n"] == 1
    assert "click_rate" not in metrics
    short = Episodes(slates[:1], alive[:1], torch.zeros(1, 2, 1), {}, None)
    assert "diversity" not in policy_metrics(short, make_catalog(vectors))
    # vectors of length 0 hold no texts
    assert "diversity" not in policy_metrics(episodes, make_catalog(torch.zeros(M, 0)))


def test_metrics_of_the_same_slate_for_all_users():
    slates = torch.zeros(10, 50, 1, dtype=torch.int64)
    episodes = Episodes(slates, torch.ones(10, 50, dtype=torch.bool), torch.ones(10, 50, 1), {}, None)
    metrics = policy_metrics(episodes, make_catalog(torch.eye(M)))
    assert metrics["coverage"]["mean"] == pytest.approx(1 / M)
    assert metrics["gini"]["mean"] == pytest.approx(1 - 1 / M)
    assert metrics["diversity"]["mean"] == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 20))
def test_gini_is_the_mean_difference_and_zeros_need_not_be_listed(counts, zeros):
    full = np.array(counts + [0] * zeros, dtype=float)
    expected = np.abs(full[:, None] - full[None]).sum() / (2 * len(full) ** 2 * full.mean())
    assert gini(np.array(counts), len(full)) == pytest.approx(expected)
    assert gini(full, len(full)) == pytest.approx(expected)
    assert coverage(full, len(full)) == pytest.approx(len(counts) / len(full))


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.floats(1e-4, 100))
def test_novelty_is_the_same_for_counts_and_for_shares(counts, scale):
    popularity = torch.tensor(counts, dtype=torch.float64)
    assert torch.allclose(self_information(popularity), self_information(popularity * scale), atol=1e-6)
    assert torch.exp2(-self_information(popularity)).sum() == pytest.approx(1.0)


def test_exposure_of_a_million_items_stays_small():
    generator = np.random.default_rng(0)
    users = np.repeat(np.arange(512), 50)
    covered, unequal = exposure_intervals(users, generator.integers(1_000_000, size=len(users)), 512, 1_000_000)
    assert covered.mean == pytest.approx(0.0253, abs=0.0005)
    assert unequal.mean > 0.97


def test_sessions_of_one_person_count_as_one_person():
    """Two sessions each: the intervals are those of the people's sums, and no metric counts more people than there are."""
    generator = torch.Generator().manual_seed(0)
    slates = torch.randint(M, (4, 30, 1), generator=generator)
    likes = torch.rand(15, generator=generator).repeat(2)
    rewards = (likes * torch.ones(4, 30))[..., None]
    people = torch.arange(15).repeat(2) * 7
    alive = torch.ones(4, 30, dtype=torch.bool)
    twice = policy_metrics(Episodes(slates, alive, rewards, {}, None, people), make_catalog(torch.eye(M)))
    apart = policy_metrics(Episodes(slates, alive, rewards, {}, None), make_catalog(torch.eye(M)))
    once = policy_metrics(Episodes(slates[:, :15], alive[:, :15], rewards[:, :15], {}, None), make_catalog(torch.eye(M)))
    assert twice["return"] == pytest.approx(once["return"])
    assert apart["return"]["high"] - apart["return"]["low"] < 0.8 * (twice["return"]["high"] - twice["return"]["low"])
    assert {metric["n"] for metric in twice.values()} == {15}
    assert {metric["n"] for metric in apart.values()} == {30}
    for metric in ("coverage", "gini"):
        assert twice[metric]["mean"] == apart[metric]["mean"]
