"""The posterior state tracker: agents start from the conditional mean of the model that is fitted to random responses."""

import dataclasses

import numpy as np
import torch

from recframe.interfaces import ResponseLog
from recframe.item_agents import QNetwork
from recframe.item_agents.item_columns import ItemRange
from recframe.references.posterior_of_log import fit_to_log
from recframe.testing import toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.config import PosteriorConfig
from recframe_plugins.state_trackers.item_responses import PENALTIES
from recframe_plugins.state_trackers.posterior import PosteriorTracker

DATA = toy_data(num_items=12, num_users=60)
SPEC = toy_spec(DATA)


def random_log(people=60, responses=8):
    """Responses that are tastes of one factor plus noise; the reward is the first signal."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(people, 1, generator=generator) * torch.randn(12, generator=generator)
    items = torch.rand(people, 12, generator=generator).argsort(dim=1)[:, :responses]
    persons = torch.arange(people)[:, None].expand_as(items).flatten()
    noise = 0.1 * torch.randn(people * responses, len(SPEC.signals), generator=generator)
    signals = table[persons, items.flatten()][:, None] + noise
    return ResponseLog(persons, persons, items.flatten(), signals, signals[:, 0], torch.zeros(len(persons), dtype=torch.bool))


def test_an_agent_starts_from_the_expected_rewards_given_the_history():
    torch.manual_seed(0)
    tracker = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA)
    network, log = QNetwork(tracker, SPEC.device), random_log()
    observation = toy_observation(SPEC, DATA, torch.Generator().manual_seed(1), users=12)

    def scores():
        values = network(observation, tracker.project_items())
        values.repeat = torch.zeros_like(values.repeat)
        return values.over(ItemRange(0, SPEC.num_items)).double().numpy()

    with torch.no_grad():
        # texts add nothing at the start
        assert not scores().any()
        tracker.fit_responses(log, seed=3)
        started = scores()
    model = fit_to_log(log, SPEC.num_items, torch.Generator().manual_seed(3), max_dims=4)
    loadings, means, noise, rewards = (part.double().numpy() for part in (model.loadings, model.means, model.noise, model.rewards))
    assert np.abs(loadings).max() > 0.1
    evidence = model.evidence.double().numpy()
    for user in range(12):
        shown = observation.history_items[user].numpy()
        present = shown >= 0
        a, x = loadings[shown[present]], observation.history_feedback[user].double().numpy()[present] @ evidence
        covariance = a @ a.T + np.diag(noise[shown[present]])
        z = a.T @ np.linalg.solve(covariance, x - means[shown[present]])
        np.testing.assert_allclose(started[user], rewards[:-1, :-1] @ z + rewards[:-1, -1], rtol=1e-3, atol=1e-3)


def test_copies_of_the_tracker_that_are_fitted_to_one_log_agree():
    log = random_log()
    first, second = (PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA) for _ in range(2))
    for tracker in (first, second):
        tracker.fit_responses(log, seed=3)
    assert torch.equal(first.responses.table, second.responses.table)


def left_out(texts, values, penalty):
    """What a ridge regression predicts of each row of `values` from the others, and its coefficients with all, the constant last."""

    def fit(x, y):
        centre, mean = x.mean(axis=0), y.mean(axis=0)
        slopes = np.linalg.solve((x - centre).T @ (x - centre) + penalty * np.eye(x.shape[1]), (x - centre).T @ (y - mean))
        return np.concatenate([slopes, (mean - centre @ slopes)[None]])

    def without(row):
        coefficients = fit(np.delete(texts, row, axis=0), np.delete(values, row, axis=0))
        return texts[row] @ coefficients[:-1] + coefficients[-1]

    return np.stack([without(row) for row in range(len(texts))]), fit(texts, values)


def test_of_items_that_are_not_in_the_log_the_row_is_what_their_texts_tell():
    log = random_log()
    tracker = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA)
    tracker.fit_responses(log.rows((log.items != 5).nonzero().squeeze(1)), seed=3)
    texts, table = (part.double().numpy() for part in (tracker.item_projection.texts.values, tracker.responses.table))
    known = np.arange(12) != 5
    predictions = {penalty: left_out(texts[known], table[known, :-1], penalty) for penalty in PENALTIES}
    missed = np.stack([((predicted - table[known, :-1]) ** 2).mean(axis=0) for predicted, _ in predictions.values()])
    best = [PENALTIES[row] for row in missed.argmin(axis=0)]
    expected = [texts[5] @ predictions[p][1][:-1, c] + predictions[p][1][-1, c] for c, p in enumerate(best)]
    np.testing.assert_allclose(table[5, :-1], expected, rtol=1e-3, atol=1e-4)
    # what is not known of the item's loadings and mean makes its response noisier
    np.testing.assert_allclose(table[5, -1], table[known, -1].mean() + missed.min(axis=0)[5:10].sum(), rtol=1e-3)


def test_a_question_is_no_evidence_of_a_taste():
    spec = dataclasses.replace(SPEC, num_questions=2)
    tracker, log = PosteriorTracker(PosteriorConfig(factors=4), spec, DATA), random_log()
    tracker.fit_responses(log.rows(((log.items < 10) & (log.items != 5)).nonzero().squeeze(1)), seed=3)
    loadings = tracker.responses.table[:, 5:9]
    assert loadings[5].any()
    assert not loadings[10:].any()


def test_where_one_item_is_known_nothing_is_predicted_of_others():
    tracker, log = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA), random_log()
    tracker.fit_responses(log.rows((log.items == 3).nonzero().squeeze(1)), seed=3)
    assert not tracker.responses.table[4:, 5:9].any()
    assert not tracker.responses.by_text[:-1].any()


def test_an_items_taste_is_known_before_anybody_met_it_where_texts_tell_it():
    vectors = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    data = toy_data(num_items=40, num_users=300)
    data = data._replace(catalog=dataclasses.replace(data.catalog, text_vectors=vectors))
    spec = toy_spec(data)
    generator = torch.Generator().manual_seed(0)
    tastes = torch.randn(300, generator=generator)
    people, items = torch.arange(300).repeat_interleave(20), torch.randint(40, (6000,), generator=generator)
    responses = tastes[people] * vectors[items, 0] + 0.1 * torch.randn(6000, generator=generator)
    log = ResponseLog(people, people, items, responses[:, None].expand(-1, len(spec.signals)), responses, torch.zeros(6000).bool())
    tracker = PosteriorTracker(PosteriorConfig(factors=4), spec, data)
    cold = torch.arange(30, 40)
    tracker.fit_responses(log.rows((items < 30).nonzero().squeeze(1)), seed=3)
    loadings = tracker.responses.table[:, 5:9]
    axis = loadings.norm(dim=0).argmax()
    truth, told = vectors[cold, 0], loadings[cold, axis]
    assert torch.corrcoef(torch.stack([truth, told]))[0, 1].abs() > 0.95
    # nothing is told about their means, which are alike
    assert tracker.responses.table[cold, 9].std() < 0.1


def test_further_items_at_the_end_have_what_their_texts_tell():
    tracker = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA)
    tracker.fit_responses(random_log(), seed=3)
    more = toy_data(num_items=15, num_users=60)
    larger = PosteriorTracker(PosteriorConfig(factors=4), toy_spec(more), more)
    larger.load_state_dict(tracker.state_dict())
    assert len(larger.responses.table) == 12
    larger.responses.extend_items(15)
    assert torch.equal(larger.responses.table[:12], tracker.responses.table)
    texts, by_text = larger.item_projection.texts.values[12:], tracker.responses.by_text
    torch.testing.assert_close(larger.responses.table[12:], texts @ by_text[:-1] + by_text[-1])


def test_items_start_in_the_order_of_the_probability_of_a_reward_that_is_a_step_of_the_response():
    log = random_log()
    log = log._replace(signals=log.signals[:, :1].expand(-1, len(SPEC.signals)), rewards=(log.signals[:, 0] >= 0.5).float())
    tracker = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA)
    tracker.fit_responses(log, seed=3)
    model = fit_to_log(log, SPEC.num_items, torch.Generator().manual_seed(3), max_dims=4)
    scores = tracker.responses.table[:, :5] / tracker.item_dim**0.5
    deviation = (model.loadings[:-1].square().sum(dim=1) + model.noise[:-1]).sqrt()
    dims = model.loadings.shape[1]
    expected = 0.5 + (model.means[:-1] - 0.5) / deviation / (2 * torch.pi) ** 0.5
    # the threshold is between the responses of both sides
    torch.testing.assert_close(scores[:, -1], expected, rtol=0.0, atol=0.03)
    torch.testing.assert_close(scores[:, :dims], model.loadings[:-1] / deviation[:, None] / (2 * torch.pi) ** 0.5)


def test_where_clicks_are_all_the_evidence_the_start_is_the_expected_reward():
    log = random_log(people=400)
    clicks = (log.signals[:, 0] >= 1.5).float()
    assert 0 < clicks.mean() < 0.2
    log = log._replace(signals=clicks[:, None].expand(-1, len(SPEC.signals)), rewards=clicks)
    tracker = PosteriorTracker(PosteriorConfig(factors=4), SPEC, DATA)
    tracker.fit_responses(log, seed=3)
    scores = tracker.responses.table[:, 4] / tracker.item_dim**0.5
    shares = torch.stack([clicks[log.items == item].mean() for item in range(12)])
    # means are shrunk a little to that of all items
    torch.testing.assert_close(scores, shares, rtol=0.0, atol=0.02)
