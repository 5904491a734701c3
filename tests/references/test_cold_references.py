"""What training cannot know of a cold item reaches no policy: not its popularity, and not what people think of it."""

from dataclasses import replace

import polars as pl
import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.experience import ColdItems
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.testing import toy_data
from tests.references.rating_worlds import click_reward, rating_data, rating_world

COLD = ColdItems(0.4, seed=0)
ITEMS = 60
HIDDEN_GEM = int(COLD.drawn_from(ITEMS)[3])


def people(gem):
    """People, and items of which the cold ones have the same text; the gem, if there is one, is what everybody loves and knows."""
    data = rating_data(seed=5, people=80, items=ITEMS)
    vectors, ratings = data.catalog.text_vectors.clone(), data.ratings.clone()
    popularity = torch.rand(ITEMS, generator=torch.Generator().manual_seed(1))
    vectors[COLD.drawn_from(ITEMS)] = vectors[0].clone()
    if gem:
        ratings[:, HIDDEN_GEM] = 5.0
        popularity[HIDDEN_GEM] = 1e6
    return data._replace(catalog=replace(data.catalog, text_vectors=vectors, popularity=popularity), ratings=ratings)


def references(data):
    train = COLD.withheld_from(rating_world(data, "train", 128, protocol="free"))
    known = COLD.hidden_in(data)
    return reference_policies(train, click_reward(data), known, max_steps=10, seed=0, budget=ReferenceBudget(256, 5_000, 128))


@pytest.fixture(scope="module")
def with_and_without():
    return [references(people(gem)) for gem in (True, False)]


@pytest.fixture(params=["all items", "cold items"])
def observation(request):
    """People who were shown warm items before, and may be shown all items, or only the cold ones."""
    data = people(gem=False)
    environment = rating_world(data, "evaluation", 100, protocol="free")
    if request.param == "cold items":
        environment = COLD.alone_in(environment)
    seen = environment.reset(1)
    warm = torch.ones(ITEMS, dtype=torch.bool)
    warm[COLD.drawn_from(ITEMS)] = False
    choices = warm.nonzero().squeeze(1)
    seen.history_items = choices[torch.randint(len(choices), seen.history_items.shape, generator=torch.Generator().manual_seed(2))]
    ratings = data.ratings[seen.user[:, None], seen.history_items]
    click = (ratings >= 4).float()
    seen.history_feedback = torch.stack([click, ratings, click], dim=2)
    return seen


@pytest.mark.parametrize("name", ["random", "popular", "fixed_slate", "greedy", "posterior_greedy"])
def test_no_policy_but_the_oracle_knows_a_gem_that_was_never_shown(with_and_without, observation, name):
    for turn in range(3):
        slates = [policies[name](observation, turn) for policies in with_and_without]
        assert torch.equal(*slates)


def test_the_oracle_knows_it(with_and_without):
    slates = []
    for gem, policies in zip((True, False), with_and_without, strict=True):
        alone = COLD.alone_in(rating_world(people(gem), "evaluation", 100, protocol="free"))
        slates.append(policies["oracle"].choose(alone.reset(1), 0, alone.truth()))
    assert int((slates[0] == HIDDEN_GEM).sum()) > int((slates[1] == HIDDEN_GEM).sum())


def test_cold_items_have_the_mean_popularity_and_no_logged_interactions():
    data = toy_data()
    cold = ColdItems(0.25, seed=0)
    items = cold.drawn_from(len(data.catalog))
    warm = torch.ones(len(data.catalog), dtype=torch.bool)
    warm[items] = False
    known = cold.hidden_in(data)
    popularity = known.catalog.popularity
    assert torch.equal(popularity[warm], data.catalog.popularity[warm])
    torch.testing.assert_close(popularity[items], data.catalog.popularity[warm].mean().expand(len(items)))
    logged = data.interactions.frame
    assert set(logged["item"]) & set(items.tolist())
    assert known.interactions.frame.equals(logged.filter(pl.col("item").is_in(warm.nonzero().squeeze(1).tolist())))
    assert torch.equal(known.catalog.text_vectors, data.catalog.text_vectors)


def test_a_run_hides_them_from_its_agent_and_not_from_the_world():
    cfg = compose_config(["debug=smoke", "encoder=tfidf", "agent=linucb", "cold_items.share=0.3"])
    parts = assemble(cfg)
    items = parts.cold_items.drawn_from(len(parts.data.catalog))
    _, tracker = parts.agent_and_tracker(parts.environment(4, "train"))
    assert len(parts.data.catalog.popularity[items].unique()) > 1
    assert len(tracker.data.catalog.popularity[items].unique()) == 1
