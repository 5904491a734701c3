"""Interest evolution: videos, users, each equation computed by hand, and the end of sessions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe_plugins.environments.recsim.config import InterestEvolutionConfig
from recframe_plugins.environments.recsim.interest_evolution import topic_means

ALPHA = 0.9 / 3.4
# a choice model under which an item shown alone is always chosen
CERTAIN = {"choice_model": "multinomial_logit", "no_click_mass": -1000.0}


@pytest.fixture
def videos(items_about):
    """`videos(n)`: n videos of twenty topics in turn."""
    return lambda n=20: items_about([[f"topic {number % 20:02d}"] for number in range(n)])


@pytest.fixture
def world(make, videos):
    """`world(choice_model=..., ...)`: twenty topics with one video each, of the topic's mean quality."""

    def build(**options):
        return make("interest_evolution", data=videos(), **{"num_candidates": 0, "quality_stddev": 0.0, **options})

    return build


def put(environment, interest, budget, topic=0):
    """Set this interest in one topic, zero interest in the others, and this budget for all users."""
    environment.reset(0)
    environment.state["interests"] = torch.zeros_like(environment.state["interests"])
    environment.state["interests"][:, topic] = interest
    environment.state["time_budget"] = torch.full_like(environment.state["time_budget"], budget)


def test_defaults_match_recsim():
    config = InterestEvolutionConfig()
    assert (config.min_utility, config.max_utility, config.quality_stddev, config.video_length) == (-3.0, 3.0, 0.1, 4.0)
    assert (config.time_budget, config.step_penalty, config.user_update_alpha) == (200.0, 0.5, pytest.approx(ALPHA))
    assert (config.user_quality_factor, config.document_quality_factor) == (0.0, 1.0)
    assert (config.alpha_x_intercept, config.alpha_y_intercept) == (1.0, 0.3)
    assert (config.choice_model, config.no_click_mass, config.min_normalizer) == ("multinomial_proportional", 1.0, -1.0)
    assert (config.attention_prob, config.score_scaling, config.num_clusters, config.resample_documents) == (0.65, 0.05, 20, True)


def test_fourteen_of_twenty_topics_are_trashy():
    expected = np.concatenate([np.linspace(-3, 0, 14), np.linspace(0, 3, 6)])
    torch.testing.assert_close(topic_means(20, -3.0, 3.0), torch.from_numpy(expected).float())


@given(topics=st.integers(2, 60))
def test_any_number_of_topics_has_the_lowest_and_the_highest_quality(topics):
    means = topic_means(topics, -2.0, 1.0)
    assert means.shape == (topics,)
    assert means[0] == -2.0
    assert means[-1] == 1.0
    assert (means[1:] >= means[:-1]).all()
    assert abs(int((means < 0).sum()) - 0.7 * topics) <= 1.5


def test_video_quality_is_the_topic_mean_plus_noise(make, videos):
    data = videos(4000)
    environment = make("interest_evolution", data=data, quality_stddev=0.2)
    assert environment.cluster.tolist() == [number % 20 for number in range(4000)]
    noise = environment.quality - topic_means(20, -3.0, 3.0)[environment.cluster]
    assert noise.mean().abs() < 0.02
    assert noise.std() == pytest.approx(0.2, rel=0.06)
    exact = make("interest_evolution", data=data, quality_stddev=0.0, min_utility=-1.0, max_utility=2.0)
    assert torch.equal(exact.quality, topic_means(20, -1.0, 2.0)[exact.cluster])


def test_topics_are_uniform_without_an_attribute(make, videos):
    environment = make("interest_evolution", data=videos(4000), topic_attribute=None, num_clusters=8)
    counts = environment.cluster.bincount()
    assert len(counts) == environment.num_topics == 8
    assert counts.min() > 400
    environment.reset(0)
    assert environment.state["interests"].shape == (16, 8)


def test_new_users_have_uniform_interests_and_a_full_time_budget(world):
    environment = world(num_users=500, time_budget=30.0)
    environment.reset(0)
    interests = environment.state["interests"].flatten()
    spread = interests.sort().values
    assert (spread - torch.linspace(-1.0, 1.0, len(spread))).abs().max() < 2 * 1.95 / len(spread) ** 0.5
    assert interests.min() >= -1.0
    assert interests.max() <= 1.0
    assert (environment.state["time_budget"] == 30.0).all()


@pytest.mark.parametrize(
    ("interest", "options", "towards", "away"),
    [
        # alpha = 0.3 (1 - 0.5) = 0.15, and a step is 0.15 (1 - 0.5) = 0.075
        (0.5, {}, 0.575, 0.425),
        # alpha = 0.06, a step 0.06 * 1.8 = 0.108
        (-0.8, {}, -0.692, -0.908),
        (0.0, {}, 0.3, -0.3),
        # an interest of full strength does not move
        (1.0, {}, 1.0, 1.0),
        (-1.0, {}, -1.0, -1.0),
        # alpha = 0.1, a step 0.19, which would lead below the lowest interest
        (-0.9, {"alpha_y_intercept": 1.0}, -0.71, -1.0),
        # alpha = 1.5, a step 0.75, which would lead above the highest
        (0.5, {"alpha_y_intercept": 3.0}, 1.0, -0.25),
        # alpha = 0.3 (1 - 0.25 / 0.5) = 0.15, a step 0.1125
        (0.25, {"alpha_x_intercept": 0.5}, 0.3625, 0.1375),
        # beyond the intercept alpha is negative, as it is in RecSim: 0.3 (1 - 1.5) = -0.15, a step -0.0375
        (0.75, {"alpha_x_intercept": 0.5}, 0.7125, 0.7875),
    ],
)
def test_interest_in_a_watched_topic_moves_up_or_down(world, interest, options, towards, away):
    environment = world(num_users=2, **CERTAIN, **options)
    put(environment, interest, 100.0, topic=3)
    # the direction is towards with probability (1 + x) / 2
    limit = (1 + interest) / 2
    draws = {"uniforms": torch.tensor([[0.5, max(limit - 1e-4, 0.0)], [0.5, min(limit + 1e-4, 1.0)]])}
    moved = environment.respond(torch.full((2, 1), 3), draws).state["interests"]
    torch.testing.assert_close(moved[:, 3], torch.tensor([towards, away]))
    assert (moved[:, [topic for topic in range(20) if topic != 3]] == 0.0).all()


def test_positive_interest_increases_more_often(world, assert_mean):
    environment = world(num_users=20_000, **CERTAIN)
    put(environment, 0.5, 100.0)
    environment.step(torch.zeros(20_000, 1, dtype=torch.int64))
    assert_mean((environment.state["interests"][:, 0] > 0.5).float(), 0.75)


@pytest.mark.parametrize(
    ("topic", "budget", "options", "dwell", "after"),
    [
        # qualities: topic 0 is -3, topic 19 is 3, topic 13 is 0
        (0, 100.0, {}, 4.0, 100.0 - 4.0 - ALPHA * 4.0 * 3.0),
        (19, 100.0, {}, 4.0, 100.0 - 4.0 + ALPHA * 4.0 * 3.0),
        (13, 100.0, {}, 4.0, 96.0),
        # watching ends with the time budget; a nutritious video restores some of it
        (19, 1.5, {}, 1.5, ALPHA * 1.5 * 3.0),
        (0, 1.5, {}, 1.5, -ALPHA * 1.5 * 3.0),
        (13, 4.0, {}, 4.0, 0.0),
        (13, 100.0, {"video_length": 7.0}, 7.0, 93.0),
        # the interest is 0.5; under the logit model it is used unchanged
        (13, 100.0, {"user_quality_factor": 2.0, "user_update_alpha": 0.1}, 4.0, 96.0 + 0.1 * 4.0 * 2.0 * 0.5),
        (19, 100.0, {"user_quality_factor": 2.0, "document_quality_factor": 0.5, "user_update_alpha": 0.1}, 4.0, 96.0 + 0.4 * (1.0 + 1.5)),
        # and minus min_normalizer under the proportional model, where the score is 0.5 + 1
        (
            13,
            100.0,
            {"choice_model": "multinomial_proportional", "no_click_mass": -0.9999, "user_quality_factor": 2.0, "user_update_alpha": 0.1},
            4.0,
            96.0 + 0.1 * 4.0 * 2.0 * 1.5,
        ),
    ],
)
def test_watching_uses_time_and_quality_restores_some(world, topic, budget, options, dwell, after):
    environment = world(num_users=1, **{**CERTAIN, **options})
    put(environment, 0.5, budget, topic)
    reaction = environment.respond(torch.tensor([[topic]]), {"uniforms": torch.tensor([[0.5, 0.5]])})
    assert reaction.signals["click"].tolist() == [[1.0]]
    torch.testing.assert_close(reaction.signals["dwell"], torch.tensor([[dwell]]))
    torch.testing.assert_close(reaction.state["time_budget"], torch.tensor([after]))
    assert reaction.leave.tolist() == [after <= 0]


def test_one_item_is_chosen_in_proportion_to_interest(world):
    environment = world(num_users=5, slate_size=3)
    put(environment, 0.5, 100.0, topic=4)
    environment.state["interests"][:, 7] = -1.0
    # weights 1, 1.5 and 0 for items of topics with interest 0, 0.5 and -1; 2 for no click
    uniforms = torch.tensor([0.0, 0.221, 0.223, 0.555, 0.557])
    reaction = environment.respond(torch.tensor([[2, 4, 7]] * 5), {"uniforms": torch.stack([uniforms, torch.zeros(5)], dim=1)})
    assert reaction.signals["click"].tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert torch.equal(reaction.signals["dwell"], 4.0 * reaction.signals["click"])
    # the last user chose nothing: the budget shrinks, and interests do not change
    assert torch.equal(reaction.state["interests"][4], environment.state["interests"][4])
    assert reaction.state["time_budget"][4] == 99.5


def test_every_step_follows_the_equations(make, videos, random_slates):
    options = {"num_candidates": 0, "slate_size": 3, "time_budget": 30.0, "step_penalty": 0.7, "quality_stddev": 0.5}
    environment = make("interest_evolution", data=videos(40), num_users=60, **options)
    environment.reset(0)
    moves = set()
    for slate in random_slates(environment, 12):
        before = environment.state
        step = environment.step(slate)
        click, dwell = step.response.signals["click"], step.response.signals["dwell"]
        chosen, place = click.sum(dim=1) == 1, click.argmax(dim=1)
        assert (chosen | (click.sum(dim=1) == 0)).all()
        item = slate.gather(1, place[:, None]).squeeze(1)
        topic, quality = item % 20, environment.quality[item]
        budget, interest = before["time_budget"], before["interests"].gather(1, topic[:, None]).squeeze(1)
        watched = torch.where(chosen, budget.clamp(max=4.0), 0.0)
        torch.testing.assert_close(dwell.sum(dim=1), watched)
        after = torch.where(chosen, budget - watched + ALPHA * watched * quality, budget - 0.7)
        # no budget is so close to zero that rounding would matter
        assert torch.equal(step.terminated, after <= 0)
        stays = ~step.terminated
        torch.testing.assert_close(environment.state["time_budget"][stays], after[stays])
        change = environment.state["interests"] - before["interests"]
        size = torch.where(chosen, 0.3 * (1 - interest.abs()) * (1 - interest), 0.0)
        moved = change.gather(1, topic[:, None]).squeeze(1)
        # interests are at least -1
        expected = torch.where(moved > 0, size, torch.maximum(-size, -1.0 - interest))
        torch.testing.assert_close(moved[stays], expected[stays], atol=1e-6, rtol=1e-4)
        others = change.scatter(1, topic[:, None], 0.0)
        assert (others[stays] == 0.0).all()
        moves |= set(moved[stays].sign().tolist())
    assert moves == {-1.0, 0.0, 1.0}


def test_session_ends_when_the_time_budget_is_used_up(make, random_slates):
    environment = make("interest_evolution", num_users=100, time_budget=8.0)
    environment.reset(0)
    lengths, length, unfinished = [], torch.zeros(100), torch.ones(100, dtype=torch.bool)
    for slate in random_slates(environment, 60):
        step = environment.step(slate)
        length += unfinished
        lengths += length[unfinished & step.terminated].tolist()
        unfinished &= ~step.terminated
        assert not step.truncated.any()
        assert (environment.state["time_budget"] > 0).all()
        # new users have the full budget
        assert (environment.state["time_budget"][step.terminated] == 8.0).all()
    assert not unfinished.any()
    # at worst two trashy videos; at best slates that cost half a minute, or videos that restore more than that
    assert min(lengths) >= 2
    assert len(set(lengths)) > 5


def test_session_ends_at_a_time_budget_of_exactly_zero(world):
    environment = world(num_users=4, choice_model="multinomial_logit", no_click_mass=1000.0, time_budget=1.5)
    environment.reset(0)
    ended = [environment.step(torch.zeros(4, 1, dtype=torch.int64)).terminated.all().item() for _ in range(3)]
    assert ended == [False, False, True]


def test_sessions_are_truncated_after_max_steps(world):
    environment = world(num_users=4, max_steps=5)
    environment.reset(0)
    steps = [environment.step(torch.full((4, 1), 19)) for _ in range(5)]
    assert [step.truncated.all().item() for step in steps] == [False] * 4 + [True]
    assert not any(step.terminated.any() for step in steps)


# leaving depends on the choice: with 0.4 minutes left, no choice ends the session; with 3 minutes, a trashy video does
@pytest.mark.parametrize(("budget", "topic"), [(100.0, 0), (0.4, 19), (3.0, 0), (0.4, 0)])
@pytest.mark.parametrize(
    "options",
    [{}, {"choice_model": "multinomial_logit", "user_quality_factor": 0.5}, {"choice_model": "cascade"}],
    ids=["proportional", "logit", "cascade"],
)
def test_truth_matches_the_mean_over_many_copies_of_a_user(world, budget, topic, options, assert_truth):
    environment = world(num_users=5_000, **options)
    put(environment, 0.3, budget, topic)
    truth = environment.truth()
    click, leave = truth.signals["click"][0, topic], truth.leave[0, topic]
    assert 0.1 < click < 0.9
    assert leave == pytest.approx({(100.0, 0): 0.0, (0.4, 19): 1 - click, (3.0, 0): click, (0.4, 0): 1.0}[budget, topic])
    assert_truth(environment, topic)


def test_interests_are_observed_only_if_the_option_is_set(make, random_slates):
    environment = make("interest_evolution", observe_interests=True, num_users=30, max_steps=3)
    assert environment.spec.num_features == 5
    assert torch.equal(environment.reset(0).features, environment.state["interests"])
    for slate in random_slates(environment, 3):
        before = environment.state["interests"]
        step = environment.step(slate)
        assert torch.equal(step.observation.features, environment.state["interests"])
    # the last interests of finished users, and the first of new users
    assert step.truncated.all()
    assert (step.next_observation.features - before).abs().max() < 0.7
    assert ((step.next_observation.features != before).sum(dim=1) <= 1).all()
    assert (step.observation.features != before).all()


def test_catalogue_with_one_topic_is_refused_in_one_line(make, items_about):
    with pytest.raises(ValueError, match=r"interest_evolution needs two topics or more; the attribute 'topics' has 1") as refused:
        make("interest_evolution", data=items_about([["jazz"]] * 20))
    assert "\n" not in str(refused.value)


def test_nonpositive_weight_of_no_click_is_refused_in_one_line(make):
    with pytest.raises(ValueError, match=r"environment.no_click_mass \(-2.0\) must be above environment.min_normalizer") as refused:
        make("interest_evolution", no_click_mass=-2.0)
    assert "\n" not in str(refused.value)
