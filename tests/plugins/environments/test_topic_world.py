"""Topic world: tastes, boredom and drift over topics, and the attribute tables that it reads."""

from dataclasses import replace

import polars as pl
import pytest
import torch

from recframe.interfaces import Catalog, Data, DataError
from recframe.testing import toy_data
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.synthetic import Synthetic
from recframe_plugins.environments.simulation.topics import topic_matrices
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld


@pytest.fixture(scope="module")
def synthetic():
    return Synthetic(SyntheticConfig()).load()


def with_items(data, **columns):
    return data._replace(catalog=replace(data.catalog, attributes=data.catalog.attributes.with_columns(**columns)))


def with_people(data, attributes):
    return data._replace(users=replace(data.users, attributes=attributes))


def play(environment, policy, seed=0):
    """Clicks and length of each slot's first session, and the clicks per shown item at each step."""
    environment.reset(seed)
    spec = environment.spec
    alive, clicks, length = (f(spec.num_users) for f in (torch.ones, torch.zeros, torch.zeros))
    rates = []
    for _ in range(environment.config.max_steps):
        step = environment.step(policy(environment))
        clicked = step.response.signals["click"].sum(dim=1)
        rates.append((alive * clicked).sum().item() / max(alive.sum().item() * spec.slate_size, 1.0))
        clicks += alive * clicked
        length += alive
        alive *= ~(step.terminated | step.truncated)
    return clicks.mean().item(), length.mean().item(), rates


def random_policy(environment):
    spec = environment.spec
    scores = torch.rand(spec.num_users, spec.num_items, generator=random_policy.generator)
    return scores.topk(spec.slate_size, dim=1).indices


def oracle(environment):
    return environment.truth().signals["click"].topk(environment.spec.slate_size, dim=1).indices


def favourite_topic(environment):
    """The items with the largest weight of each user's favourite topic, without repetition."""
    topic = environment.state["taste"].argmax(dim=1)
    about = environment.item_vectors[:, topic].T.clone()
    shown = environment.state["recent"]
    about.scatter_(1, shown.clamp(min=0), torch.where(shown >= 0, -1.0, about.gather(1, shown.clamp(min=0))))
    return about.topk(environment.spec.slate_size, dim=1).indices


@pytest.mark.parametrize("slate_size", [1, 5])
def test_adaptive_policy_beats_random_and_fixed_slates(synthetic, slate_size):
    def world():
        config = TopicWorldConfig(slate_size=slate_size)
        return TopicWorld(config, synthetic, num_users=256, history_length=10, split="train", device="cpu")

    random_policy.generator = torch.Generator().manual_seed(0)
    at_random, random_length, rates = play(world(), random_policy)
    adapted, adapted_length, _ = play(world(), oracle)
    ready = world()
    ready.reset(0)
    best = ready.truth().signals["click"].mean(dim=0).topk(10).indices
    lists = [best[:5]] if slate_size == 5 else [item[None] for item in best]
    fixed = max(play(world(), lambda e, items=items: items.expand(e.spec.num_users, -1))[0] for items in lists)
    assert 0.1 < at_random / (random_length * slate_size) < 0.2
    assert 0.1 < rates[0] < 0.25
    assert adapted > 2 * at_random
    assert adapted > 2 * fixed
    assert 10 < random_length < 40
    assert 10 < adapted_length < 40


def test_favourite_topic_becomes_boring_within_a_few_steps_and_shortens_sessions(synthetic):
    world = TopicWorld(TopicWorldConfig(), synthetic, num_users=400, history_length=10, split="train", device="cpu")
    _, length, rates = play(world, favourite_topic)
    _, adapted_length, _ = play(world, oracle)
    assert rates[0] > 0.6
    assert sum(rates[4:8]) / 4 < 0.6 * rates[0]
    assert length < 0.7 * adapted_length


def test_boredom_of_a_topic_follows_the_equations_and_fades(make):
    world = make("topic_world", leave_rate=0.0, drift=0.0, boredom_weight=4.0, boredom_memory=0.8)
    world.reset(0)

    def utility():
        return world.truth().signals["click"][:, 20].logit()

    # items 0, 5, 10 and 20 are of one topic, item 1 of another
    rested = utility()
    for item in (0, 5, 10):
        world.step(torch.full((16, 1), item))
    torch.testing.assert_close(rested - utility(), torch.full((16,), 4.0 * (1 - 0.8**3)), rtol=1e-3, atol=1e-3)
    for _ in range(10):
        world.step(torch.full((16, 1), 1))
    torch.testing.assert_close(rested - utility(), torch.full((16,), 4.0 * (1 - 0.8**3) * 0.8**10), rtol=1e-3, atol=1e-3)


def test_only_clicks_move_tastes_towards_the_clicked_items(make):
    # an easy threshold makes everybody click, a hard one nobody
    for threshold, moves in ((-30.0, True), (60.0, False)):
        world = make("topic_world", threshold=threshold, leave_rate=0.0, drift=0.2)
        world.reset(0)
        before = world.state["taste"]
        step = world.step(torch.full((16, 1), 3))
        after = world.state["taste"]
        assert (step.response.signals["click"] == float(moves)).all()
        likes = world.item_vectors[3]
        gained = after @ likes - before @ likes
        # a taste for only this topic cannot move closer
        assert (gained[before @ likes < 0.999] > 0).all() if moves else gained.abs().max() < 1e-6
        assert (before @ likes < 0.999).any()
        torch.testing.assert_close(after.norm(dim=1), torch.ones(16))


def test_sessions_use_the_tastes_of_the_observed_user(make):
    world = make("topic_world", num_users=400, session_noise=0.1)
    user = world.reset(0).user
    # user i of the toy data likes only topic i modulo 5, which is the topic of item i
    best = world.state["taste"] @ world.item_vectors[:5].T
    assert torch.equal(best.argmax(dim=1), user % 5)
    first = user == user[0]
    assert first.sum() > 1
    assert len(world.state["taste"][first].unique(dim=0)) == first.sum()


def test_people_are_generated_without_known_tastes_and_all_have_number_0(make, toy_world):
    data = with_people(toy_world, None)
    train = make("topic_world", data=data, num_users=500)
    evaluation = make("topic_world", data=data, num_users=500, split="evaluation")
    for world in (train, evaluation):
        assert (world.reset(0).user == 0).all()
        assert (world.state["taste"] >= 0).all()
        torch.testing.assert_close(world.state["taste"].norm(dim=1), torch.ones(500))
    assert not set(train.people.tolist()) & set(evaluation.people.tolist())
    # a small concentration means few topics each: the favourite has more than an equal share of the length
    assert train.state["taste"].max(dim=1).values.mean() > 0.8
    # the first observation does not distinguish tastes
    same = [make("topic_world", data=data, num_users=4).reset(seed) for seed in (0, 1)]
    assert torch.equal(same[0].user, same[1].user)
    assert torch.equal(same[0].history_items, same[1].history_items)


def test_hidden_world_depends_on_world_seed_only(make):
    first, again, other = make("topic_world"), make("topic_world", num_users=3, split="evaluation"), make("topic_world", world_seed=1)
    first.reset(0), again.reset(1)
    assert torch.equal(first.quality, again.quality)
    assert not torch.equal(first.quality, other.quality)
    assert not torch.equal(first.people, other.people)


def test_topic_weights_are_used():
    attributes = pl.DataFrame({"title": ["x", "y", "z"], "topics": [["b", "a"], ["a"], []], "topic_weights": [[3.0, 1.0], [2.0], []]})
    data = Data(Catalog(ids=["x", "y", "z"], texts=["x", "y", "z"], attributes=attributes, popularity=torch.ones(3)))
    weighted, people = topic_matrices(data, "topics", "topic_weights")
    assert weighted.tolist() == [[1.0, 3.0], [2.0, 0.0], [0.0, 0.0]]
    assert people is None
    unweighted, _ = topic_matrices(data, "topics", "no_such_column")
    assert unweighted.tolist() == [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]


def test_people_without_topics_like_all_topics_equally():
    attributes = pl.DataFrame({"topics": pl.Series([["jazz"], [], None], dtype=pl.List(pl.String))})
    data = toy_data(num_users=3)
    _, people = topic_matrices(with_people(data, attributes), "topics", "topic_weights")
    assert people[0].count_nonzero() == 1
    assert torch.equal(people[1:], torch.ones(2, 5))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"topics": pl.lit("jazz")}, r"catalogue attribute 'topics' must hold a list of strings per row, not String"),
        ({"topic_weights": pl.lit(1.0)}, r"catalogue attribute 'topic_weights' must hold a list of numbers per row, not Float64"),
        ({"topic_weights": pl.lit([1.0, 2.0])}, r"catalogue row 0 has 1 'topics' but 2 'topic_weights'"),
        ({"topic_weights": pl.lit([-1.0])}, r"catalogue row 0 gives topic 'space' the weight -1.0"),
        ({"topic_weights": pl.lit([float("nan")])}, r"catalogue row 0 gives topic 'space' the weight nan"),
        ({"topics": pl.lit([], dtype=pl.List(pl.String)), "topic_weights": pl.lit([], dtype=pl.List(pl.Float32))}, "lists no topic"),
    ],
)
def test_invalid_topic_attributes_are_named(make, columns, message):
    data = with_people(with_items(toy_data(), **columns), None)
    with pytest.raises(DataError, match=message):
        make("topic_world", data=data)


def test_missing_topic_column_is_named_with_the_existing_columns(make, toy_world):
    with pytest.raises(DataError, match=r"attribute 'themes'; this catalogue has title, topics, "):
        make("topic_world", data=toy_world, topic_attribute="themes")
    assert make("topic_world", topic_attribute="genres").item_vectors.shape == (40, 3)
