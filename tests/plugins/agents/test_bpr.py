"""BPR-MF: its criterion, its draws, and who gets which items. That it learns is tested beside the other recommenders of logs."""

import numpy as np
import pytest
import torch

from recframe.interfaces import DataError
from recframe.references.logged import Counts, interaction_matrix
from recframe_plugins.agents.collaborative.bpr import BPR, LoggedPairs, bpr_loss, initial_factors
from recframe_plugins.agents.collaborative.config import BPRConfig
from tests.references.logs_with_tastes import log_of, random_log, spec_of, tastes

CPU = torch.device("cpu")


def fitted(log, **options):
    scorer = BPR(BPRConfig(**{"factors": 8, **options}), spec_of(log), seed=3)
    scorer.fit(log)
    return scorer


def test_the_gradients_are_the_update_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    x, i, j = (torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3))
    r = torch.rand(5, generator=generator, dtype=torch.float64)
    bpr_loss(x, i, j, r, regularization=0.3).backward()
    # section 4.3: theta += alpha (exp(-x_uij) / (1 + exp(-x_uij)) d x_uij / d theta - lambda theta), here times r and a mean of 5
    u, a, b = (side.detach().numpy() for side in (x, i, j))
    e = np.exp(-(u * (a - b)).sum(axis=1))
    factor = (r.numpy() * e / (1 + e))[:, None]
    for parameter, derivative, values in ((x, a - b, u), (i, u, a), (j, -u, b)):
        assert np.allclose(-5 * parameter.grad.numpy(), factor * derivative - 0.3 * values)


def test_items_that_are_not_preferred_are_drawn_uniformly_from_those_not_taken():
    log = log_of([[0, 1, 4], [3], [6, 0, 2, 1, 5, 3], list(range(7))], 7)
    pairs = LoggedPairs(interaction_matrix(log, by_user=True), CPU)
    # the last one took everything
    assert pairs.users.tolist() == [0] * 3 + [1] + [2] * 6
    assert pairs.items.tolist() == [0, 1, 4, 3, 0, 1, 2, 3, 5, 6]
    generator = torch.Generator().manual_seed(0)
    for user, free in enumerate([[2, 3, 5, 6], [0, 1, 2, 4, 5, 6], [4]]):
        drawn = pairs.others(torch.full((6_000,), user), generator)
        found = torch.bincount(drawn, minlength=7)
        assert found.nonzero().flatten().tolist() == free
        # within five standard deviations
        assert (found[free] - 6_000 / len(free)).abs().max() < 5 * (6_000 / len(free)) ** 0.5


def test_the_value_of_an_interaction_is_the_signal_that_weights_it():
    log = random_log(4)
    matrix = interaction_matrix(log, "rating", by_user=True)
    assert LoggedPairs(matrix, CPU).values.tolist() == matrix.data.tolist()
    by_click, by_rating = fitted(log, epochs=3), fitted(log, epochs=3, weights="rating")
    assert not torch.equal(by_click.item_factors, by_rating.item_factors)


def test_a_step_of_adam_changes_the_factors_of_a_batch_and_no_others():
    log = log_of([[0, 1], [2], [0, 1, 2]], 3)
    before = initial_factors(3, 8, torch.Generator().manual_seed(3))
    scorer = fitted(log, epochs=1, learning_rate=0.125)
    moved = (scorer.user_factors - before).abs()
    # the last one took everything; the first step of Adam has the length of its rate in every coordinate
    assert torch.allclose(moved[:2], torch.tensor(0.125), atol=1e-3)
    assert not moved[2].any()
    # two batches, and so more than one step
    assert (fitted(log, epochs=1, learning_rate=0.125, batch_size=2).item_factors - scorer.item_factors).abs().max() > 0.01


def test_regularization_keeps_the_factors_small():
    log, _, _ = tastes(seed=2, people=60)
    sizes = [fitted(log, learning_rate=0.01, regularization=weight).item_factors.square().mean() for weight in (0.0, 0.1)]
    assert sizes[1] < 0.5 * sizes[0]


def test_users_that_are_not_in_the_log_get_the_popular_items():
    log, held_out, _ = tastes(seed=2, people=60)
    scorer, popular = fitted(log, epochs=2), Counts(spec_of(log))
    popular.fit(log)
    (queries,) = held_out.batches(60, 0)
    queries.observation.user[0] = 60
    orders = [one.scores(queries.observation, repeats=True).between(0, 60).argsort(dim=1, descending=True) for one in (scorer, popular)]
    assert torch.equal(orders[0][0], orders[1][0])
    assert not torch.equal(orders[0][5], orders[1][5])
    scores = scorer.evidence(queries.observation).between(0, 60)
    assert torch.allclose(scores[5], scorer.item_factors @ scorer.user_factors[5], atol=1e-5)


def test_where_everybody_took_everything_nothing_is_learned():
    scorer = fitted(log_of([[0, 1], [1, 0]], 2))
    assert torch.equal(scorer.item_factors, fitted(log_of([[0, 1], [1, 0]], 2), epochs=1).item_factors)
    assert scorer.item_factors.isfinite().all()


def test_a_log_without_clicks_is_refused():
    with pytest.raises(DataError, match="no interaction of the log is a click"):
        fitted(log_of([[0, 1]], 3, clicks=[0, 0]))
