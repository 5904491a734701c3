"""posterior_greedy: its equations against dense ones in numpy, what it is fitted on, and that it beats what does not listen."""

import weakref

import numpy as np
import pytest
import torch

import recframe.references.fitting.posterior_greedy as fitting
from recframe.evaluation.simulated.rollout import rollout
from recframe.experience import ColdItems
from recframe.interfaces import PAD, Observation
from recframe.references.evidence import evidence_candidates
from recframe.references.fitting.expected_rewards import expected_responses
from recframe.references.fitting.posterior_greedy import components
from recframe.references.fitting.random_log import collect_random_log
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.references.posterior_greedy import PosteriorGreedyPolicy, ResponseModel
from tests.references.rating_worlds import click_reward, rating_data, rating_world

ITEMS, SIGNALS = 30, 2


def random_model(dims):
    generator = torch.Generator().manual_seed(dims)

    def table(*shape):
        values = torch.randn(ITEMS + 1, *shape, generator=generator)
        values[-1] = 0.0
        return values

    noise = torch.rand(ITEMS + 1, generator=generator) + 0.2
    return ResponseModel(torch.tensor([0.5, 2.0]), table(), table(dims), noise, table(dims + 1), torch.tensor(0.0))


def observe(history, feedback):
    return Observation(torch.zeros(len(history), dtype=torch.int64), history, feedback, batch_size=[len(history)])


@pytest.mark.parametrize(("dims", "length"), [(3, 8), (20, 8), (8, 8), (1, 1)])
def test_expected_rewards_are_the_conditional_mean_of_the_dense_gaussian(dims, length):
    model, users = random_model(dims), 6
    generator = torch.Generator().manual_seed(1)
    history = torch.rand(users, ITEMS, generator=generator).argsort(dim=1)[:, :length]
    for user in range(users):
        # histories of different lengths, the first of them empty
        history[user, : max(0, length - user)] = PAD
    feedback = torch.randn(users, length, SIGNALS, generator=generator) * (history != PAD)[:, :, None]
    predicted = PosteriorGreedyPolicy(1, model).predict(observe(history, feedback)).double().numpy()

    evidence, means, loadings, noise, rewards = (part[: len(part)].double().numpy() for part in model[:-1])
    loadings, rewards = loadings[:-1], rewards[:-1]
    covariance = loadings @ loadings.T + np.diag(noise[:-1])
    cross = rewards[:, :-1] @ loadings.T
    for user in range(users):
        seen = [int(item) for item in history[user] if item != PAD]
        said = feedback[user][history[user] != PAD].double().numpy() @ evidence
        surprise = np.linalg.solve(covariance[np.ix_(seen, seen)], said - means[seen])
        np.testing.assert_allclose(predicted[user], rewards[:, -1] + cross[:, seen] @ surprise, atol=2e-4)


def test_an_item_of_the_history_gets_its_own_weight_once():
    model = random_model(3)._replace(repeat=torch.tensor(-5.0))
    history, feedback = torch.tensor([[4, 7, 4], [PAD, PAD, 2]]), torch.zeros(2, 3, SIGNALS)
    with_weight = PosteriorGreedyPolicy(1, model).predict(observe(history, feedback))
    without = PosteriorGreedyPolicy(1, model._replace(repeat=torch.tensor(0.0))).predict(observe(history, feedback))
    difference = torch.zeros(2, ITEMS)
    difference[0, [4, 7]] = difference[1, 2] = -5.0
    torch.testing.assert_close(with_weight - without, difference)


def test_all_components_are_the_sample_covariances_of_the_training_people():
    data = rating_data(seed=0, people=60, items=25)
    train = rating_world(data, "train", 200)
    responses = expected_responses(train, click_reward(data), [1, 2])
    # each person counts once, however many sessions they have
    ratings = data.ratings[~data.held_out].double().numpy()
    assert responses.people.tolist() == (~data.held_out).nonzero().squeeze(1).tolist()
    np.testing.assert_allclose(responses.signals["rating"].numpy(), ratings, rtol=1e-6)
    found = components(responses, torch.tensor([0.0, 1.0, 0.0]))
    covariance = np.cov(ratings.T, bias=True)
    np.testing.assert_allclose((found.loadings @ found.loadings.T).numpy(), covariance, atol=1e-5)
    clicks = (ratings >= 4).astype(float)
    cross = (clicks - clicks.mean(0)).T @ (ratings - ratings.mean(0)) / len(ratings)
    np.testing.assert_allclose((found.reward_loadings @ found.loadings.T).numpy(), cross, atol=1e-5)


def test_the_combination_of_signals_nearest_to_the_reward_is_tried_unless_one_signal_is_as_near():
    generator = torch.Generator().manual_seed(0)
    click, rating = torch.randn(2, 500, generator=generator).unbind(0)
    combined, *alone = evidence_candidates([click, rating, torch.zeros(500)], click + 0.5 * rating)
    assert combined.tolist() == pytest.approx([1.0, 0.5, 0.0], abs=1e-4)
    assert [weights.tolist() for weights in alone] == [[1, 0, 0], [0, 1, 0]]
    # a signal that is there twice
    assert [weights.tolist() for weights in evidence_candidates([click, 2 * click], 3 * click)] == [[1, 0], [0, 1]]


def test_a_log_holds_the_signals_of_each_shown_item():
    data = rating_data(seed=1, people=60, items=25)
    log = collect_random_log(rating_world(data, "train", 50, slate_size=2), click_reward(data), [1, 2], 10, 700)
    ratings = data.ratings[log.observations.user[:, None], log.slates]
    torch.testing.assert_close(log.signals, torch.stack([(ratings >= 4).float(), ratings, (ratings >= 4).float()], dim=2))


def test_what_people_say_to_items_withheld_from_training_stays_unknown():
    data = rating_data(seed=2, people=60, items=40)
    cold = ColdItems(0.4, seed=0)
    train = cold.withheld_from(rating_world(data, "train", 200, protocol="free"))
    responses = expected_responses(train, click_reward(data), [1, 2])
    items = cold.drawn_from(40)
    warm = torch.ones(40, dtype=torch.bool)
    warm[items] = False
    for table in (responses.rewards, *responses.signals.values()):
        assert (table[:, items] == table[:, items[:1]]).all()
        torch.testing.assert_close(table[:, items[0]], table[:, warm].mean(dim=1))


def test_the_components_of_one_evidence_are_held_at_a_time(monkeypatch):
    data = rating_data(seed=1, people=60, items=25)
    environment, rewards = rating_world(data, "train", 50), click_reward(data)
    log = collect_random_log(environment, rewards, [1, 2], 10, 700)
    judge = fitting.CrossValidation(expected_responses(environment, rewards, [1, 2]), log, environment.spec, torch.Generator())
    made = []

    def watched(responses, evidence, kept):
        found = components(responses, evidence, kept)
        made.append(weakref.ref(found.loadings))
        # what is held while the next is computed
        assert sum(loadings() is not None for loadings in made) <= fitting.FOLDS
        return found

    monkeypatch.setattr(fitting, "components", watched)
    clicks, ratings = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    first = judge.error(fitting.Choice(clicks, 4, 1.0))
    assert judge.error(fitting.Choice(clicks, 8, 1.0)) != first
    assert len(made) == fitting.FOLDS
    assert judge.error(fitting.Choice(ratings, 4, 1.0)) != first
    # a choice that is made again is not judged again
    assert judge.error(fitting.Choice(clicks, 4, 1.0)) == first
    assert len(made) == 2 * fitting.FOLDS


def interval(policy, environment, rewards):
    """The 95 % interval of the mean return of the people of an environment, each of whom counts once."""
    returns = rollout(policy, environment, rewards, 5, 10).returns
    people, row = environment.reset(5).user.unique(return_inverse=True)
    means = torch.zeros(len(people)).index_add_(0, row, returns) / torch.bincount(row)
    half = 1.96 * means.std() / len(means) ** 0.5
    return float(means.mean() - half), float(means.mean() + half)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.evidence) for seed in (1, 2))])
def test_listening_beats_the_best_list_for_everybody_with_disjoint_intervals(seed):
    data = rating_data(seed)
    rewards = click_reward(data)
    policies = reference_policies(rating_world(data, "train", 512), rewards, data, max_steps=10, seed=0, budget=ReferenceBudget())
    evaluation = rating_world(data, "evaluation", 512)
    assert interval(policies["posterior_greedy"], evaluation, rewards)[0] > interval(policies["fixed_slate"], evaluation, rewards)[1]
