"""Losses of the next item from negatives: unbiased sums, the limit of the whole softmax, gBCE's formulas, and renumbering."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD
from recframe.item_agents import NegativeSampler, gbce, gbce_beta, renumbered, sampled_cross_entropy

ITEMS, DIM = 7, 3
POPULARITY = torch.tensor([50.0, 20.0, 10.0, 5.0, 1.0, 0.0, 0.0])
GENERATOR = torch.Generator().manual_seed(0)
QUERY, VECTORS = torch.randn(4, DIM, generator=GENERATOR), torch.randn(ITEMS, DIM, generator=GENERATOR)
TAKEN = torch.tensor([0, 3, 3, 6])


def drawn_losses(exponent, size, repetitions, query=QUERY):
    """Sampled cross-entropy of many independent draws, `[repetitions, 4]`."""
    sampler, generator = NegativeSampler(POPULARITY, exponent), torch.Generator().manual_seed(1)
    losses = []
    for _ in range(repetitions):
        items, log_weights = sampler.draw(size, generator)
        losses.append(sampled_cross_entropy(query, VECTORS[TAKEN], VECTORS[items], log_weights, TAKEN.unsqueeze(1) == items))
    return torch.stack(losses)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_estimated_sum_over_the_catalogue_is_unbiased(exponent):
    scores = (QUERY @ VECTORS.T).double()
    own = scores.gather(1, TAKEN.unsqueeze(1)).squeeze(1)
    # the loss is the logarithm of the estimated sum, less the item's own score
    sums = (drawn_losses(exponent, 5, 8_000).double() + own).exp()
    expected = scores.exp().sum(dim=1)
    error = sums.std(dim=0) / math.sqrt(len(sums))
    assert ((sums.mean(dim=0) - expected).abs() < 4 * error).all()
    assert (error < 0.05 * expected).all()
    # without the correction it is another sum
    uncorrected = drawn_losses(exponent, 5, 500).double() + own
    assert ((uncorrected.exp().mean(dim=0) * 5 / ITEMS - expected).abs() > 0.1 * expected).all()


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_loss_and_gradient_approach_those_of_the_whole_softmax(exponent):
    full_query = QUERY.clone().requires_grad_()
    full = F.cross_entropy(full_query @ VECTORS.T, TAKEN, reduction="none")
    full.sum().backward()

    def differences(size, repetitions):
        query = QUERY.clone().requires_grad_()
        losses = drawn_losses(exponent, size, repetitions, query)
        losses.mean(dim=0).sum().backward()
        return float((losses.detach().mean(dim=0) - full.detach()).abs().max()), float((query.grad - full_query.grad).abs().max())

    few, many = differences(2, 2_000), differences(4_000, 50)
    assert many[0] < 0.02
    assert many[1] < 0.02
    assert few[0] > 3 * many[0]  # the bias of the logarithm, which falls with n


def test_negatives_are_drawn_by_smoothed_popularity_and_weighted_by_its_inverse():
    sampler = NegativeSampler(POPULARITY, 0.5)
    smoothed = (POPULARITY.double().numpy() + 1.0) ** 0.5
    q = smoothed / smoothed.sum()
    items, log_weights = sampler.draw(40_000, torch.Generator().manual_seed(0))
    shares = np.bincount(items.numpy(), minlength=ITEMS) / 40_000
    assert (np.abs(shares - q) < 4 * np.sqrt(q / 40_000)).all()
    np.testing.assert_allclose(log_weights.numpy(), -np.log(40_000 * q[items.numpy()]), rtol=1e-5)
    uniform = NegativeSampler(POPULARITY, 0.0).draw(10, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(uniform.log_weights.numpy(), math.log(ITEMS / 10), rtol=1e-5)


def test_gbce_is_the_formula_of_the_paper():
    negatives = torch.tensor([1, 3, 5, 5])
    absent, beta = TAKEN.unsqueeze(1) == negatives, 0.3
    losses = gbce(QUERY, VECTORS[TAKEN], VECTORS[negatives], beta, absent)
    scores = (QUERY @ VECTORS.T).double().numpy()
    sigma = 1 / (1 + np.exp(-scores))
    for row, taken in enumerate(TAKEN.tolist()):
        others = [item for item in negatives.tolist() if item != taken]
        expected = -(np.log(sigma[row, taken] ** beta) + sum(np.log(1 - sigma[row, item]) for item in others)) / (len(negatives) + 1)
        assert losses[row].item() == pytest.approx(expected, rel=1e-5)


def test_gbce_without_calibration_is_binary_cross_entropy():
    negatives = torch.tensor([1, 2, 4])
    scores = torch.cat([(QUERY * VECTORS[TAKEN]).sum(dim=1, keepdim=True), QUERY @ VECTORS[negatives].T], dim=1)
    targets = torch.tensor([1.0, 0, 0, 0]).expand(4, -1)
    expected = F.binary_cross_entropy_with_logits(scores, targets, reduction="none").mean(dim=1)
    torch.testing.assert_close(gbce(QUERY, VECTORS[TAKEN], VECTORS[negatives], gbce_beta(3, ITEMS, 0.0)), expected)


@given(negatives=st.integers(1, 500), num_items=st.integers(2, 10_000), calibration=st.floats(0, 1))
def test_beta_is_between_the_sampling_rate_and_1(negatives, num_items, calibration):
    alpha = min(negatives / (num_items - 1), 1.0)
    beta = gbce_beta(negatives, num_items, calibration)
    assert beta == pytest.approx(alpha * (calibration * (1 - 1 / alpha) + 1 / alpha))
    assert alpha - 1e-9 <= beta <= 1 + 1e-9
    assert gbce_beta(negatives, num_items, 0.0) == pytest.approx(1.0)
    assert gbce_beta(negatives, num_items, 1.0) == pytest.approx(alpha)


def test_fully_calibrated_gbce_learns_the_softmax_of_its_target():
    """At the minimum sigma(s_i) = P(i) with t = 1, and more than P(i) with t = 0 (Petrov & Macdonald, 2023)."""
    probabilities, negatives = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05]), 2
    # expected over positives drawn by P, and negatives drawn uniformly from all other items
    for calibration, expected in ((1.0, probabilities), (0.0, 4 * probabilities / (4 * probabilities + negatives * (1 - probabilities)))):
        scores = torch.zeros(5, requires_grad=True)
        optimizer, beta = torch.optim.Adam([scores], lr=0.05), gbce_beta(negatives, 5, calibration)
        for _ in range(1_500):
            loss = (probabilities * beta * F.softplus(-scores)).sum() + (negatives / 4 * (1 - probabilities) * F.softplus(scores)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.testing.assert_close(scores.detach().sigmoid(), expected, atol=2e-3, rtol=0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 30), min_size=1, max_size=6), min_size=1, max_size=3))
def test_renumbered_items_are_rows_of_the_distinct_items(lists):
    named = [torch.tensor(numbers) for numbers in lists]
    rows, found = renumbered(named)
    assert len(rows.unique()) == len(rows)
    for numbers, local in zip(named, found, strict=True):
        assert torch.equal(numbers == PAD, local == PAD)
        assert torch.equal(rows[local[local != PAD]], numbers[numbers != PAD])
