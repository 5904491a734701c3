"""The fairness reward: the exposure that a group of items lacks relative to its target share."""

from dataclasses import replace

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import PAD, Catalog, DataError
from recframe_plugins.rewards.config import FairnessConfig
from recframe_plugins.rewards.fairness import Fairness
from recframe_plugins.rewards.item_groups import groups_by_attribute, groups_by_popularity

configs = st.builds(
    FairnessConfig,
    attribute=st.sampled_from([None, "genres", "year", "description"]),
    head_share=st.floats(0.05, 0.9),
    target=st.sampled_from(["items", "equal", "popularity"]),
)


def catalog_of(popularity, **attributes):
    names = [f"item {number}" for number in range(len(popularity))]
    return Catalog(names, names, pl.DataFrame({"title": names, **attributes}), torch.tensor(popularity, dtype=torch.float32))


# four items, the red ones a quarter of them and four fifths of the popularity
COLOURS = catalog_of([8, 1, 1, 0], colour=["red", "blue", "blue", "blue"])


def by_colour(catalog=COLOURS, **options):
    reward = Fairness(FairnessConfig(attribute="colour", **options))
    return lambda transition: reward(transition, catalog)


@given(seed=st.integers(0, 1000), config=configs)
def test_reward_is_the_target_share_minus_the_share_of_exposure(data, random_step, seed, config):
    transition = random_step(seed)
    catalog = data.catalog
    shown = [item for item in transition.observation.history_items.flatten().tolist() if item != PAD] + transition.slate.flatten().tolist()
    if config.attribute is None:
        group = groups_by_popularity(catalog, config.head_share).numbers.tolist()
    else:
        group = [value[0] if isinstance(value, list) else value for value in catalog.attributes[config.attribute].to_list()]
    due = dict.fromkeys(group, 0.0)
    for item, name in enumerate(group):
        weight = {"items": 1 / len(catalog), "popularity": catalog.popularity[item] / catalog.popularity.sum()}
        due[name] += float(weight.get(config.target, 0.0))
    if config.target == "equal":
        due = dict.fromkeys(due, 1 / len(due))
    expected = [
        [due[group[i]] - sum(group[j] == group[i] for j in shown) / len(shown) for i in slate] for slate in transition.slate.tolist()
    ]
    rewards = Fairness(config)(transition, catalog)
    torch.testing.assert_close(rewards, torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert ((rewards >= -1) & (rewards <= 1)).all()


@given(seed=st.integers(0, 1000), config=configs)
def test_rewards_of_the_groups_sum_to_zero(data, random_step, seed, config):
    catalog = data.catalog
    transition = random_step(seed)
    groups = (
        groups_by_popularity(catalog, config.head_share) if config.attribute is None else groups_by_attribute(catalog, config.attribute)
    )
    # shows one item of each group to an additional user
    representatives = torch.tensor([groups.numbers.tolist().index(number) for number in range(len(groups.names))])
    transition.slate = representatives.expand(7, -1)
    assert float(Fairness(config)(transition, catalog)[0].sum()) == pytest.approx(0.0, abs=1e-5)


def test_reward_is_zero_at_the_target_negative_above_and_positive_below(step):
    reward = by_colour()
    assert reward(step([[0, 1, 2, 3]])).tolist() == [[0.0] * 4]
    assert reward(step([[0], [0]])).tolist() == [[-0.75], [-0.75]]
    assert reward(step([[0, 1, 2, 3, 3, 2, 1, 1]])).tolist() == [[0.125, *[-0.125] * 7]]


def test_slates_and_histories_of_all_users_count_and_padding_does_not(step):
    alone = by_colour()(step([[0, 1]]))
    assert alone.tolist() == [[-0.25, 0.25]]
    beside_another = by_colour()(step([[0, 1], [2, 3]]))
    assert beside_another.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with_a_history = by_colour()(step([[0, 1]], [[PAD, 2, 3]]))
    assert with_a_history.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(("target", "red"), [("items", 0.25), ("equal", 0.5), ("popularity", 0.8)])
def test_target_is_a_share_of_the_items_or_of_the_popularity_or_equal(step, target, red):
    rewards = by_colour(target=target)(step([[0, 1]]))
    assert rewards[0].tolist() == pytest.approx([red - 0.5, 0.5 - red])


def test_shares_by_name_replace_the_target(step):
    rewards = by_colour(target="equal", shares={"blue": 0.9, "red": 0.1})(step([[0, 1]]))
    assert rewards[0].tolist() == pytest.approx([-0.4, 0.4])


@given(red=st.floats(0, 1), slate=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_swapping_names_and_shares_of_groups_swaps_their_rewards(step, red, slate):
    swapped = catalog_of([8, 1, 1, 0], colour=["blue", "red", "red", "red"])
    one = by_colour(shares={"red": red, "blue": 1 - red})(step([slate]))
    other = by_colour(swapped, shares={"blue": red, "red": 1 - red})(step([slate]))
    torch.testing.assert_close(one, other)


def test_first_entry_of_a_list_counts_and_items_without_a_value_are_a_group():
    catalog = catalog_of([1, 1, 1, 1, 1], tags=[["b", "a"], ["a"], [], None, ["a", "b"]])
    groups = groups_by_attribute(catalog, "tags")
    assert [groups.names[number] for number in groups.numbers] == ["b", "a", "(none)", "(none)", "a"]


def test_numeric_attributes_are_groups():
    groups = groups_by_attribute(catalog_of([1, 1, 1], year=[1999, None, 1999]), "year")
    assert [groups.names[number] for number in groups.numbers] == ["1999", "(none)", "1999"]


@given(popularity=st.lists(st.integers(0, 9), min_size=2, max_size=12), head_share=st.floats(0.01, 0.99))
def test_head_is_the_given_share_and_no_tail_item_is_more_popular(popularity, head_share):
    catalog = catalog_of(popularity)
    numbers = groups_by_popularity(catalog, head_share).numbers
    head, tail = catalog.popularity[numbers == 0], catalog.popularity[numbers == 1]
    assert head.min() >= tail.max()
    assert len(head) == min(max(round(head_share * len(popularity)), 1), len(popularity) - 1)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"red": 0.5, "blue": 0.4}, "^reward.fairness.shares must sum to 1, not 0.9: "),
        ({"red": 1.5, "blue": -0.5}, "^reward.fairness.shares must not be negative: "),
    ],
)
def test_invalid_shares_are_refused_by_the_constructor(shares, message):
    with pytest.raises(ValueError, match=message):
        Fairness(FairnessConfig(attribute="colour", shares=shares))


NOBODY_KNOWS_ANY = replace(COLOURS, popularity=torch.zeros(4))
NESTED = catalog_of([1, 1], colour=[[["red"]], [["blue"]]])


@pytest.mark.parametrize(
    ("options", "catalog", "message"),
    [
        ({"shares": {"red": 1.0}}, COLOURS, "reward.fairness.shares names red; name each of the groups: blue, red"),
        ({"shares": {"red": 0.5, "green": 0.5}}, COLOURS, "reward.fairness.shares names red, green; name each of the groups: blue, red"),
        ({"attribute": "color"}, COLOURS, "there is no catalogue attribute 'color' to group items by; there are: title, colour"),
        ({"target": "popularity"}, NOBODY_KNOWS_ANY, "target is popularity, but no item has any popularity; use items or equal"),
        ({}, catalog_of([1, 1], colour=["red", "red"]), "'colour' is 'red' for every item: fairness needs two groups or more"),
        ({}, NESTED, "'colour' must hold a string or number per item, or a list of them, not List"),
        ({"attribute": None}, catalog_of([1]), "the catalogue has only one item"),
    ],
)
def test_unusable_groups_and_shares_are_named(step, options, catalog, message):
    reward = Fairness(FairnessConfig(**({"attribute": "colour"} | options)))
    with pytest.raises(DataError, match=message.replace("(", r"\(")) as caught:
        reward(step([[0]]), catalog)
    assert "\n" not in str(caught.value)
