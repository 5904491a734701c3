"""Bayesian factor analysis of incomplete responses, and the response models that are fitted with it."""

import numpy as np
import pytest
import torch

import recframe.references.factor_analysis as factor_analysis
from recframe.references.factor_analysis import ResponseTable, fit_factors, loadings_of
from recframe.references.posterior_of_log import ResponseLog, fit_to_log, tried_dims
from tests.references.rating_worlds import rating_data

PEOPLE, ITEMS, RANK, NOISE = 150, 60, 3, 0.25


def incomplete(share, seed=0):
    """People, items and values of a share of a matrix of rank 3 with noise, and the loadings behind it."""
    generator = torch.Generator().manual_seed(seed)
    loadings = torch.randn(ITEMS, RANK, generator=generator)
    values = torch.randn(PEOPLE, RANK, generator=generator) @ loadings.T
    values += NOISE**0.5 * torch.randn(PEOPLE, ITEMS, generator=generator)
    people, items = (torch.rand(PEOPLE, ITEMS, generator=generator) < share).nonzero(as_tuple=True)
    return people, items, values[people, items], loadings


def fit(people, items, values, dims=8):
    def table(of):
        return ResponseTable(people, items, of, PEOPLE, ITEMS)

    start = torch.randn(ITEMS, dims, generator=torch.Generator().manual_seed(1))
    counts, sums = table(torch.ones_like(values)), table(values)
    return fit_factors(counts, sums, values.square().sum(), len(values), start), counts, sums


def test_superfluous_factors_are_switched_off_and_covariance_and_noise_are_found():
    people, items, values, loadings = incomplete(share=0.4)
    factors, _, _ = fit(people, items, values)
    assert int((factors.prior > 0.05 * factors.prior.max()).sum()) == RANK
    assert float(factors.noise) == pytest.approx(NOISE, rel=0.1)
    found, true = factors.loadings @ factors.loadings.T, loadings @ loadings.T
    assert float((found - true).norm() / true.norm()) < 0.3
    # new people are compared with N(0, I)
    torch.testing.assert_close(factors.moments.mean(dim=0), torch.eye(8), atol=1e-4, rtol=0)


def test_noise_has_no_factors():
    people, items, values, _ = incomplete(share=0.4)
    shuffled = values[torch.randperm(len(values), generator=torch.Generator().manual_seed(2))]
    factors, _, _ = fit(people, items, shuffled)
    explained = factors.loadings.square().sum(dim=1).mean()
    assert float(explained) < 0.05 * float(shuffled.var())


def test_loadings_are_those_of_bayesian_linear_regression_on_the_factors():
    people, items, values, _ = incomplete(share=0.3)
    factors, counts, sums = fit(people, items, values)
    found = loadings_of(factors, counts, sums).double().numpy()
    moments, means, noise, prior = (part.double().numpy() for part in (factors.moments, factors.people, factors.noise, factors.prior))
    for item in range(0, ITEMS, 7):
        rows = [row for row, other in enumerate(items.tolist()) if other == item]
        precision = np.diag(1 / prior) + sum(moments[people[row]] for row in rows) / noise
        linear = sum(means[people[row]] * float(values[row]) for row in rows) / noise
        np.testing.assert_allclose(found[item], np.linalg.solve(precision, linear), atol=1e-4)


def test_sparse_tables_give_the_same_factors(monkeypatch):
    people, items, values, _ = incomplete(share=0.2)
    # a response that was given twice counts twice
    people, items, values = (torch.cat([part, part[:50]]) for part in (people, items, values))
    dense, _, _ = fit(people, items, values)
    monkeypatch.setattr(factor_analysis, "MAX_CELLS", 0)
    sparse, _, _ = fit(people, items, values)
    assert ResponseTable(people, items, values, PEOPLE, ITEMS).by_person.is_sparse
    torch.testing.assert_close(dense.noise, sparse.noise, rtol=1e-3, atol=0)
    torch.testing.assert_close(dense.loadings @ dense.loadings.T, sparse.loadings @ sparse.loadings.T, rtol=0.02, atol=0.02)


def response_log(data, responses, again=0):
    """Ratings and clicks of random people on random items but the last; clicks are rewarded, less one for the `again` repeated items."""
    generator = torch.Generator().manual_seed(3)
    people = (~data.held_out).nonzero().squeeze(1)
    people = people[torch.randint(len(people), (responses,), generator=generator)]
    items = torch.randint(data.ratings.shape[1] - 1, (responses,), generator=generator)
    ratings = data.ratings[people, items]
    clicks = (ratings >= 4).float()
    repeated = torch.arange(responses) < again
    sessions = people * 1_000 + torch.arange(responses) % 20
    return ResponseLog(people, sessions, items, torch.stack([clicks, ratings], dim=1), clicks - repeated.float(), repeated)


def test_a_log_shows_what_to_listen_to_and_what_repetition_costs():
    data = rating_data(seed=3, people=120, items=50)
    model = fit_to_log(response_log(data, 8_000, again=500), 50, torch.Generator().manual_seed(0))
    assert model.evidence.tolist() == [0.0, 1.0], "ratings say more than the clicks that are rewarded"
    assert float(model.repeat) == pytest.approx(-1.0, abs=0.1)
    # predictions for held-out people from ten of their ratings are better than the items' means
    people = data.held_out.nonzero().squeeze(1)
    history = torch.rand(len(people), 49, generator=torch.Generator().manual_seed(4)).argsort(dim=1)[:, :10]
    ratings = data.ratings[people].gather(1, history)
    query = model.query(history, torch.stack([(ratings >= 4).float(), ratings], dim=2))
    predicted = query @ model.rewards[:49].T
    clicks = (data.ratings[people, :49] >= 4).float()
    assert float((clicks - predicted).var()) < 0.8 * float((clicks - model.rewards[:49, -1]).var())


def test_an_item_that_is_not_in_the_log_has_the_mean_reward_and_says_nothing():
    log = response_log(rating_data(seed=3, people=120, items=50), 4_000)
    model = fit_to_log(log, 50, torch.Generator().manual_seed(0))
    assert (model.loadings[49] == 0).all()
    assert (model.rewards[49, :-1] == 0).all()
    # each person counts once for an item
    of_pair = {
        (person, item): reward
        for person, item, reward in zip(*(part.tolist() for part in (log.people, log.items, log.rewards)), strict=True)
    }
    assert float(model.rewards[49, -1]) == pytest.approx(np.mean(list(of_pair.values())), abs=1e-5)
    assert float(model.noise[49]) >= float(model.noise[:49].min())


def joined(*logs):
    return ResponseLog(*(torch.cat(parts) for parts in zip(*logs, strict=True)))


def test_what_people_say_again_and_again_is_no_further_evidence():
    log = response_log(rating_data(seed=3, people=120, items=50), 3_000)
    pairs = {pair: row for row, pair in enumerate(zip(log.people.tolist(), log.items.tolist(), strict=True))}
    once = log.rows(torch.tensor(list(pairs.values())))
    again = once._replace(sessions=once.sessions + 1_000_000)
    # a choice by cross-validation depends on how sessions are divided
    models = [fit_to_log(part, 50, torch.Generator().manual_seed(0), max_dims=2) for part in (once, joined(once, again))]
    evidence = models[0].evidence.argmax()
    assert models[1].evidence.argmax() == evidence
    for name in ("loadings", "noise", "rewards"):
        torch.testing.assert_close(getattr(models[0], name), getattr(models[1], name), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("lasting", [0.0, 0.5])
def test_the_noise_of_a_model_is_that_of_one_response(lasting):
    generator = torch.Generator().manual_seed(0)
    people, items = (part.flatten() for part in torch.meshgrid(torch.arange(PEOPLE), torch.arange(ITEMS), indexing="ij"))
    tastes = torch.randn(PEOPLE, 2, generator=generator) @ torch.randn(ITEMS, 2, generator=generator).T
    own = tastes + lasting**0.5 * torch.randn(PEOPLE, ITEMS, generator=generator)
    logs = []
    for visit in range(3):
        said = (own + 0.5**0.5 * torch.randn(PEOPLE, ITEMS, generator=generator)).flatten()
        sessions = people * 10 + visit
        logs.append(ResponseLog(people, sessions, items, said[:, None], said, torch.zeros(len(said), dtype=torch.bool)))
    model = fit_to_log(joined(*logs), ITEMS, torch.Generator().manual_seed(0), max_dims=4)
    assert float(model.noise[:-1].median()) == pytest.approx(0.5 + lasting, rel=0.1)


@pytest.mark.parametrize(
    ("most", "tried"), [(1, [1]), (2, [2]), (3, [2, 3]), (12, [2, 4, 8, 12]), (16, [2, 4, 8, 16]), (40, [2, 4, 8, 16, 32, 40])]
)
def test_powers_of_two_and_the_largest_number_of_factors_itself_are_tried(most, tried):
    assert tried_dims(most) == tried


@pytest.mark.parametrize(("rank", "most"), [(3, 3), (24, 24)])
def test_as_many_factors_as_are_allowed_are_found_where_people_have_them(rank, most):
    generator = torch.Generator().manual_seed(0)
    said = torch.randn(300, rank, generator=generator) @ torch.randn(80, rank, generator=generator).T
    people, items = (part.flatten() for part in torch.meshgrid(torch.arange(300), torch.arange(80), indexing="ij"))
    values = said.flatten() + 0.1 * torch.randn(said.numel(), generator=generator)
    log = ResponseLog(people, people, items, values[:, None], values, torch.zeros(len(values), dtype=torch.bool))
    model = fit_to_log(log, 80, torch.Generator().manual_seed(0), max_dims=most)
    assert model.loadings.shape[1] == most
    assert float(model.noise[:-1].median()) == pytest.approx(0.01, rel=0.5)
