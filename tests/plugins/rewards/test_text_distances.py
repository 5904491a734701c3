"""Diversity and serendipity: distances of text vectors, compared with direct implementations of their definitions."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from recframe.interfaces import PAD, DataError
from recframe_plugins.rewards import text_similarity
from recframe_plugins.rewards.config import DiversityConfig, SerendipityConfig
from recframe_plugins.rewards.diversity import Diversity
from recframe_plugins.rewards.serendipity import Serendipity

seeds = st.integers(0, 1000)
# right, right, up, left, and the zero vector
VECTORS = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 0.0]])
RIGHT, SAME, UP, LEFT, BLANK = range(5)


@pytest.fixture(scope="module")
def catalog(data):
    items = len(VECTORS)
    catalog = data.catalog
    return replace(
        catalog,
        ids=catalog.ids[:items],
        texts=catalog.texts[:items],
        attributes=catalog.attributes[:items],
        popularity=catalog.popularity[:items],
        text_vectors=VECTORS,
    )


@pytest.fixture(params=["all pairs kept", "pairs computed"])
def storage(request, monkeypatch):
    """Both implementations: for small and for large catalogues."""
    if request.param == "pairs computed":
        monkeypatch.setattr(text_similarity, "LARGEST_TABLE", 0)


def apart(catalog, one, other):
    return (1 - float(cosine_similarity(catalog.text_vectors[one], catalog.text_vectors[other], dim=0))) / 2


def shown_before(transition, user, window):
    history = transition.observation.history_items[user].tolist()
    return [item for item in history[max(len(history) - window, 0) :] if item != PAD]


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("window", [0, 1, 3, 20])
def test_diversity_is_the_mean_distance_to_the_other_items_and_the_history(data, random_step, window):
    transition = random_step(window)
    rewards = Diversity(DiversityConfig(window=window))(transition, data.catalog)
    for user, slate in enumerate(transition.slate.tolist()):
        for k, item in enumerate(slate):
            others = slate[:k] + slate[k + 1 :] + shown_before(transition, user, window)
            mean = sum(apart(data.catalog, item, other) for other in others) / len(others)
            assert float(rewards[user, k]) == pytest.approx(mean, abs=1e-5)


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("window", [1, 3, 20])
def test_serendipity_is_the_distance_of_clicked_items_to_the_nearest_item_of_the_history(data, random_step, window):
    transition = random_step(window)
    clicks = transition.response.signals["click"].tolist()
    rewards = Serendipity(SerendipityConfig(window=window))(transition, data.catalog)
    for user, slate in enumerate(transition.slate.tolist()):
        for k, item in enumerate(slate):
            nearest = min((apart(data.catalog, item, other) for other in shown_before(transition, user, window)), default=1.0)
            assert float(rewards[user, k]) == pytest.approx(clicks[user][k] * nearest, abs=1e-5)


@pytest.mark.parametrize("reward", [Diversity(DiversityConfig()), Serendipity(SerendipityConfig())], ids=["diversity", "serendipity"])
@given(seed=seeds, slate_size=st.integers(1, 6))
def test_both_are_between_zero_and_one(data, random_step, reward, seed, slate_size):
    values = reward(random_step(seed, slate_size), data.catalog)
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.usefixtures("storage")
def test_distance_increases_from_equal_to_unrelated_to_opposite_texts(catalog, step):
    diversity = Diversity(DiversityConfig())
    pairs = step([[RIGHT, RIGHT], [RIGHT, SAME], [RIGHT, UP], [RIGHT, LEFT], [RIGHT, BLANK]])
    assert diversity(pairs, catalog).tolist() == [[0.0, 0.0], [0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.5, 0.5]]
    serendipity = Serendipity(SerendipityConfig())
    histories = [[PAD, RIGHT], [PAD, SAME], [PAD, UP], [LEFT, LEFT], [LEFT, UP]]
    clicked = step([[RIGHT]] * 5, histories, click=[[1.0]] * 5)
    assert serendipity(clicked, catalog).flatten().tolist() == [0.0, 0.0, 0.5, 1.0, 0.5]


def test_diversity_of_a_single_item_without_history_is_zero(catalog, step):
    assert Diversity(DiversityConfig())(step([[RIGHT], [UP]]), catalog).tolist() == [[0.0], [0.0]]


def test_a_slate_of_one_item_is_compared_with_the_history(catalog, step):
    reward = Diversity(DiversityConfig(window=2))
    assert reward(step([[RIGHT]], [[RIGHT, LEFT, UP]]), catalog).item() == 0.75


def test_serendipity_of_a_click_without_history_is_one(data, random_step):
    transition = random_step(0)
    transition.observation.history_items = torch.full_like(transition.observation.history_items, PAD)
    assert torch.equal(Serendipity(SerendipityConfig())(transition, data.catalog), transition.response.signals["click"])


@given(seed=seeds, forgotten=st.integers(0, 5))
def test_more_history_never_increases_serendipity(data, random_step, seed, forgotten):
    transition = random_step(seed)
    reward = Serendipity(SerendipityConfig())
    known = reward(transition, data.catalog)
    items = transition.observation.history_items
    transition.observation.history_items = torch.cat([torch.full_like(items[:, :forgotten], PAD), items[:, forgotten:]], dim=1)
    assert (known <= reward(transition, data.catalog)).all()


@given(seed=seeds)
def test_serendipity_is_zero_without_a_click(data, random_step, seed):
    transition = random_step(seed)
    values = Serendipity(SerendipityConfig())(transition, data.catalog)
    assert (values[transition.response.signals["click"] == 0] == 0).all()


def test_another_catalogue_is_compared_by_its_own_texts(catalog, step):
    reward = Diversity(DiversityConfig())
    pair = step([[RIGHT, UP]])
    assert reward(pair, catalog).tolist() == [[0.5, 0.5]]
    turned = replace(catalog, text_vectors=VECTORS[[RIGHT, SAME, LEFT, UP, BLANK]])
    assert reward(pair, turned).tolist() == [[1.0, 1.0]]
    assert reward(pair, catalog).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("reward", "name"), [(Diversity(DiversityConfig()), "diversity"), (Serendipity(SerendipityConfig()), "serendipity")]
)
def test_missing_text_vectors_are_named(reward, name, data, random_step):
    with pytest.raises(DataError, match=f"reward={name} compares items by their text vectors, but this catalogue has none") as caught:
        reward(random_step(0), replace(data.catalog, text_vectors=None))
    assert "\n" not in str(caught.value)
