"""Long-term satisfaction: documents, users, each equation computed by hand, and the long-run effect of clickbait."""

from math import exp

import pytest
import torch

from recframe_plugins.environments.recsim.config import LongTermSatisfactionConfig


@pytest.fixture
def world(make, items_about):
    """`world(n, ...)`: n documents of two topics; the first topic has the lower half of the clickbait scores."""

    def build(n=40, **options):
        data = items_about([["kale" if number % 2 == 0 else "sweets"] for number in range(n)])
        return make("long_term_satisfaction", data=data, **{"num_candidates": 0, **options})

    return build


def put(environment, exposure, budget=60):
    """Set this net positive exposure and this number of remaining steps for all users."""
    environment.reset(0)
    state = environment.state
    state["net_positive_exposure"] = torch.full_like(state["net_positive_exposure"], exposure)
    state["satisfaction"] = torch.sigmoid(environment.config.sensitivity * state["net_positive_exposure"])
    state["time_budget"] = torch.full_like(state["time_budget"], budget)


def test_defaults_match_recsim():
    config = LongTermSatisfactionConfig()
    assert (config.memory_discount, config.sensitivity, config.innovation_stddev) == (0.7, 0.01, 0.05)
    assert (config.choc_mean, config.choc_stddev, config.kale_mean, config.kale_stddev) == (5.0, 1.0, 4.0, 1.0)
    assert (config.time_budget, config.resample_documents) == (60, True)


@pytest.mark.parametrize("attribute", ["topics", None])
def test_clickbait_scores_are_uniform(world, attribute):
    scores = world(4000, topic_attribute=attribute).clickbait_score.sort().values
    assert (scores - torch.arange(4000) / 4000).abs().max() < 1.95 / 4000**0.5


def test_catalogue_topics_are_informative_about_clickbait(world):
    scores = world(4000).clickbait_score
    assert scores[0::2].max() <= 0.5 <= scores[1::2].min()


def test_new_users_have_uniform_exposure_around_zero_and_a_full_time_budget(world):
    environment = world(num_users=4000, memory_discount=0.6, time_budget=7, sensitivity=0.5)
    environment.reset(0)
    exposure = environment.state["net_positive_exposure"]
    # half of 1 / (1 - 0.6) to either side
    spread = (exposure.sort().values + 1.25) / 2.5
    assert (spread - torch.arange(4000) / 4000).abs().max() < 1.95 / 4000**0.5
    assert exposure.abs().max() <= 1.25
    torch.testing.assert_close(environment.state["satisfaction"], 1 / (1 + (-0.5 * exposure).exp()))
    assert environment.state["time_budget"].tolist() == [7] * 4000


def test_one_step_matches_values_computed_by_hand(world):
    options = {"choc_mean": 5.0, "choc_stddev": 0.4, "kale_mean": 4.0, "kale_stddev": 1.2, "sensitivity": 0.5}
    environment = world(num_users=3, slate_size=2, **options)
    put(environment, 2.0, budget=2)
    environment.clickbait_score[:3] = torch.tensor([0.25, 1.0, 0.0])
    normals = torch.tensor([[0.0, 0.0], [2.0, -1.0], [-1.0, 3.0]])
    reaction = environment.respond(torch.tensor([[0, 7], [1, 7], [2, 7]]), {"normals": normals})
    satisfaction = 1 / (1 + exp(-1.0))
    # c = 0.25: 0.25 * 5 + 0.75 * 4 = 4.25;  c = 1: deviation 0.4;  c = 0: deviation 1.2
    dwell = [exp(4.25 * satisfaction), exp(5.0 * satisfaction + 2.0 * 0.4), exp(4.0 * satisfaction - 1.2)]
    torch.testing.assert_close(reaction.signals["dwell"], torch.tensor([[value, 0.0] for value in dwell]))
    assert reaction.signals["click"].tolist() == [[1.0, 0.0]] * 3
    # 0.7 * 2 - 2 (c - 0.5) + 0.05 noise
    exposure = torch.tensor([1.4 + 0.5, 1.4 - 1.0 - 0.05, 1.4 + 1.0 + 0.15])
    torch.testing.assert_close(reaction.state["net_positive_exposure"], exposure)
    torch.testing.assert_close(reaction.state["satisfaction"], torch.sigmoid(0.5 * exposure))
    assert reaction.state["time_budget"].tolist() == [1] * 3
    assert not reaction.leave.any()


def test_exposure_follows_its_equation_in_every_step(world, random_slates, assert_mean):
    environment = world(num_users=200, slate_size=3, innovation_stddev=0.2)
    environment.reset(0)
    innovations = []
    for slate in random_slates(environment, 10):
        before = environment.state["net_positive_exposure"]
        step = environment.step(slate)
        expected = 0.7 * before - 2.0 * (environment.clickbait_score[slate[:, 0]] - 0.5)
        innovations.append(environment.state["net_positive_exposure"] - expected)
        torch.testing.assert_close(environment.state["satisfaction"], torch.sigmoid(0.01 * environment.state["net_positive_exposure"]))
        # the first document of every slate is clicked
        assert (step.response.signals["click"] == torch.tensor([1.0, 0.0, 0.0])).all()
        assert (step.response.signals["dwell"][:, 0] > 0).all()
        assert (step.response.signals["dwell"][:, 1:] == 0).all()
    noise = torch.cat(innovations)
    assert_mean(noise, 0.0)
    assert noise.std() == pytest.approx(0.2, rel=0.08)


def test_sessions_terminate_after_exactly_sixty_steps(world, random_slates):
    environment = world(num_users=20)
    environment.reset(0)
    for turn, slate in enumerate(random_slates(environment, 61)):
        assert (environment.truth().leave == float(turn == 59)).all()
        step = environment.step(slate)
        assert (step.terminated == (turn == 59)).all()
        assert not step.truncated.any()
    # the first step of the next users
    assert (environment.state["time_budget"] == 59).all()


def test_sessions_are_truncated_after_max_steps(world, random_slates):
    environment = world(num_users=20, max_steps=4)
    environment.reset(0)
    steps = [environment.step(slate) for slate in random_slates(environment, 4)]
    assert [step.truncated.all().item() for step in steps] == [False, False, False, True]
    assert not any(step.terminated.any() for step in steps)


@pytest.mark.parametrize("item", [0, 1])
@pytest.mark.parametrize("budget", [1, 20])
def test_truth_matches_the_mean_over_many_copies_of_a_user(world, item, budget, assert_truth):
    environment = world(num_users=20_000, choc_stddev=0.3, kale_stddev=0.8, sensitivity=0.3)
    put(environment, -1.5, budget)
    score = environment.clickbait_score[item].item()
    location, scale = (5 * score + 4 * (1 - score)) / (1 + exp(0.45)), 0.3 * score + 0.8 * (1 - score)
    truth = environment.truth()
    assert truth.signals["dwell"][0, item].item() == pytest.approx(exp(location + scale**2 / 2), rel=1e-4)
    assert (truth.signals["click"] == 1.0).all()
    assert truth.leave[0, item] == float(budget == 1)
    assert_truth(environment, item)


def test_clickbait_engages_more_now_and_less_in_the_long_run(world):
    options = {"num_users": 500, "innovation_stddev": 0.0, "sensitivity": 0.3}
    environment = world(**options)
    environment.reset(0)
    order = environment.clickbait_score.argsort()
    dwell = environment.truth().signals["dwell"][:, order]
    assert (dwell[:, 1:] > dwell[:, :-1]).all()
    later = {}
    for name, item in (("kale", order[0]), ("sweets", order[-1])):
        environment.reset(0)
        for _ in range(40):
            environment.step(item.expand(500, 1))
        # the limit of the exposure: -2 (c - 0.5) / (1 - memory_discount)
        limit = -2.0 * (environment.clickbait_score[item] - 0.5) / 0.3
        torch.testing.assert_close(environment.state["net_positive_exposure"], limit.expand(500), atol=1e-4, rtol=0.0)
        later[name] = environment.truth().signals["dwell"].mean()
    assert later["kale"] > 2 * later["sweets"]
