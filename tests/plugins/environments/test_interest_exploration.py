"""Interest exploration: documents, users, the choice computed by hand, and constant sessions."""

from math import exp

import pytest
import torch

from recframe_plugins.environments.recsim.config import InterestExplorationConfig


@pytest.fixture
def world(make, items_about):
    """`world(n, ...)`: n documents with ten catalogue topics, which are mapped to the topics of the simulation."""

    def build(n=200, **options):
        data = items_about([[f"topic {number % 10}"] for number in range(n)])
        return make("interest_exploration", data=data, **{"num_candidates": 0, **options})

    return build


def test_defaults_match_recsim():
    config = InterestExplorationConfig()
    assert (config.topic_distribution, config.user_type_distribution) == ([0.2, 0.8], [0.3, 0.7])
    assert (config.topic_quality_mean, config.topic_quality_stddev) == ([0.8, 0.2], [0.1, 0.1])
    assert config.user_document_mean_affinity_matrix == [[0.1, 0.7], [0.7, 0.1]]
    assert config.user_document_stddev_affinity_matrix == [[0.1, 0.1], [0.1, 0.1]]
    assert (config.choice_model, config.no_click_mass, config.resample_documents) == ("multinomial_logit", 5.0, True)


@pytest.mark.parametrize("attribute", ["topics", None])
def test_documents_have_the_topic_shares_and_log_normal_qualities(world, attribute, assert_mean):
    options = {"topic_distribution": [0.2, 0.5, 0.3], "topic_quality_mean": [0.8, 0.2, -0.5], "topic_quality_stddev": [0.1, 0.3, 0.0]}
    affinities = {
        "user_document_mean_affinity_matrix": [[0.0] * 3] * 2,
        "user_document_stddev_affinity_matrix": [[0.0] * 3] * 2,
    }
    environment = world(5000, topic_attribute=attribute, **options, **affinities)
    for topic, (share, mean, stddev) in enumerate(zip(*options.values(), strict=True)):
        within = environment.cluster == topic
        assert_mean(within.double(), share)
        logarithm = environment.quality[within].log()
        assert_mean(logarithm, mean)
        assert logarithm.std() == pytest.approx(stddev, rel=0.1, abs=1e-6)
    assert set(environment.cluster.tolist()) == {0, 1, 2}


def test_catalogue_topics_are_informative_about_the_simulated_topics(world):
    environment = world()
    # the first two of the ten topics are the 20 % of the first simulated topic
    assert environment.cluster.tolist() == [int(number % 10 >= 2) for number in range(200)]


def test_user_types_have_log_normal_affinities(world, assert_mean):
    means, stddevs = [[0.0, 2.0], [4.0, 6.0], [8.0, 9.0]], [[0.1, 0.2], [0.0, 0.3], [0.2, 0.1]]
    environment = world(
        num_users=5000,
        user_type_distribution=[0.5, 0.2, 0.3],
        user_document_mean_affinity_matrix=means,
        user_document_stddev_affinity_matrix=stddevs,
    )
    environment.reset(0)
    logarithm = environment.state["affinity"].log()
    # the affinities of the types to the first topic are far enough apart to identify a user's type
    types = (logarithm[:, 0] / 4.0).round().long()
    for user_type, share in enumerate([0.5, 0.2, 0.3]):
        own = logarithm[types == user_type]
        assert_mean((types == user_type).double(), share)
        for topic in range(2):
            assert_mean(own[:, topic], means[user_type][topic])
            assert own[:, topic].std() == pytest.approx(stddevs[user_type][topic], rel=0.1, abs=1e-5)
    # given the type, affinities are independent
    assert abs(torch.corrcoef(logarithm[types == 0].T)[0, 1]) < 0.1


def test_user_types_have_the_default_shares(world, assert_mean):
    environment = world(num_users=5000)
    environment.reset(0)
    affinity = environment.state["affinity"]
    prefers_first = (affinity[:, 0] > affinity[:, 1]).double()
    assert_mean(prefers_first, 0.7)
    assert affinity[affinity[:, 0] > affinity[:, 1]].mean(dim=0).tolist() == pytest.approx([exp(0.705), exp(0.105)], rel=0.01)


def test_one_item_is_chosen_by_softmax_of_affinity_and_quality(world):
    environment = world(num_users=6, slate_size=3, no_click_mass=3.0)
    environment.reset(0)
    environment.state["affinity"] = torch.tensor([[1.0, 2.0]]).repeat(6, 1)
    slate = torch.tensor([[0, 2, 3]] * 6)
    quality = environment.quality[[0, 2, 3]].tolist()
    weights = [exp(1.0 + quality[0]), exp(2.0 + quality[1]), exp(2.0 + quality[2]), exp(3.0)]
    bounds = (torch.tensor(weights).cumsum(0) / sum(weights))[:3]
    uniforms = torch.stack([bounds - 1e-4, bounds + 1e-4], dim=1).view(6, 1)
    reaction = environment.respond(slate, {"uniforms": uniforms})
    assert reaction.signals["click"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert not reaction.leave.any()
    assert reaction.state == {}


def test_nothing_changes_and_nobody_leaves_until_truncation(world, random_slates):
    environment = world(num_users=50, max_steps=6)
    environment.reset(0)
    affinity = environment.state["affinity"]
    for turn, slate in enumerate(random_slates(environment, 6)):
        assert torch.equal(environment.state["affinity"], affinity)
        assert not environment.truth().leave.any()
        step = environment.step(slate)
        assert not step.terminated.any()
        assert (step.truncated == (turn == 5)).all()
    assert (environment.state["affinity"] != affinity).all()


@pytest.mark.parametrize("item", [0, 2])
@pytest.mark.parametrize("choice_model", ["multinomial_logit", "multinomial_proportional", "cascade"])
def test_truth_matches_the_mean_over_many_copies_of_a_user(world, item, choice_model, assert_truth):
    environment = world(num_users=5000, no_click_mass=4.0, choice_model=choice_model)
    environment.reset(0)
    score = environment.state["affinity"][:, environment.cluster[item]] + environment.quality[item]
    click = environment.truth().signals["click"][:, item]
    if choice_model == "multinomial_logit":
        torch.testing.assert_close(click, torch.sigmoid(score - 4.0))
    assert 0.1 < click[0] < 0.9
    assert_truth(environment, item)


def test_documents_that_are_best_on_average_are_not_the_best_for_a_minority(world):
    # the purpose of this simulator: the first topic is best on average, but a minority prefers the second
    environment = world(num_users=3000)
    environment.reset(0)
    click = environment.truth().signals["click"]
    of_topic = torch.stack([click[:, environment.cluster == topic].mean(dim=1) for topic in range(2)], dim=1)
    means = of_topic.mean(dim=0)
    assert means[0] > 1.5 * means[1]
    affinity = environment.state["affinity"]
    minority = affinity[:, 1] > affinity[:, 0]
    assert of_topic[minority, 0].mean() < 0.6 * of_topic[~minority, 0].mean()


def test_one_type_and_one_topic_are_allowed(world):
    one = {"topic_distribution": [1.0], "topic_quality_mean": [0.5], "topic_quality_stddev": [0.0], "user_type_distribution": [1.0]}
    matrices = {"user_document_mean_affinity_matrix": [[0.2]], "user_document_stddev_affinity_matrix": [[0.0]]}
    environment = world(**one, **matrices)
    environment.reset(0)
    torch.testing.assert_close(environment.truth().signals["click"], torch.full((16, 200), 1 / (1 + exp(5 - exp(0.5) - exp(0.2)))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic_distribution": [0.2, 0.7]}, "environment.topic_distribution must add up to 1, not to 0.9"),
        ({"user_type_distribution": []}, "environment.user_type_distribution must add up to 1, not to 0"),
        (
            {"topic_quality_mean": [0.8]},
            "environment.topic_quality_mean has 1 entries, but environment.topic_distribution has 2; the numbers must be equal",
        ),
        ({"topic_quality_stddev": [0.1] * 3}, "environment.topic_quality_stddev has 3 entries"),
        (
            {"user_document_mean_affinity_matrix": [[0.1, 0.7]]},
            r"environment.user_document_mean_affinity_matrix must have 2 rows \(user types\) of 2 numbers \(topics\), not \[\[0.1, 0.7\]\]",
        ),
        (
            {"user_document_stddev_affinity_matrix": [[0.1, 0.1], [0.1]]},
            r"environment.user_document_stddev_affinity_matrix .* \[\[0.1, 0.1\], \[0.1\]\]",
        ),
        ({"user_document_stddev_affinity_matrix": [[0.1, -0.1], [0.1, 0.1]]}, "holds a negative number"),
    ],
)
def test_contradicting_options_are_refused_in_one_line(make, options, message):
    with pytest.raises(ValueError, match=message) as refused:
        make("interest_exploration", **options)
    assert "\n" not in str(refused.value)
