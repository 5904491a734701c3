"""Groups of held-out queries: each equals an evaluation of its relevant items alone."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.evaluation.ranking import evaluate_ranking
from recframe.evaluation.ranking.groups import popularity_tenths, target_groups
from recframe.interfaces import Interactions
from tests.evaluation.ranked_log import Scored, make_catalog, make_held_out

M = 30


def training(users: list[int], items: list[int]) -> Interactions:
    return Interactions(pl.DataFrame({"user": users, "item": items, "timestamp": [0] * len(items)}), ())


def random_case():
    """40 queries of 30 users with up to four relevant items; items 25 to 29 and users 0 to 4 are not in training."""
    generator = np.random.default_rng(0)
    histories = [generator.integers(0, M, generator.choice([1, 3, 7, 12, 120])).tolist() for _ in range(40)]
    targets = [generator.choice(M, generator.integers(1, 5), replace=False).tolist() for _ in range(40)]
    users = generator.integers(0, 30, 40).tolist()
    items = np.minimum(generator.zipf(1.5, 400) - 1, 24).tolist()
    return histories, targets, users, training((5 + np.arange(400) % 25).tolist(), items)


def test_a_group_equals_an_evaluation_with_only_its_relevant_items():
    histories, targets, users, trained_on = random_case()
    held_out, catalog = make_held_out(histories, targets, users, M), make_catalog(M)
    policies = {name: Scored(torch.rand(30, M, generator=torch.Generator().manual_seed(seed))) for seed, name in enumerate("ab")}
    evaluation = evaluate_ranking(policies, held_out, catalog, history_length=3, ks=(2, 5), training=trained_on, resamples=50)
    flat = np.concatenate(targets)
    places = np.split(np.arange(len(flat)), np.cumsum([len(each) for each in targets])[:-1])
    groups = target_groups(held_out, M, trained_on)
    assert {"cold_items", "cold_users", "history_1_to_4", "history_100_or_more", "popularity_10"} <= set(groups)
    for name, group in groups.items():
        kept = [
            [item for item, place in zip(each, where, strict=True) if group.targets[place]]
            for each, where in zip(targets, places, strict=True)
        ]
        queries = [query for query, each in enumerate(kept) if each]
        alone = make_held_out([histories[q] for q in queries], [kept[q] for q in queries], [users[q] for q in queries], M)
        expected = evaluate_ranking(policies, alone, catalog, history_length=3, ks=(2, 5), resamples=50)
        for policy in policies:
            found = evaluation.groups[name].policies[policy]
            assert found == {metric: pytest.approx(expected.policies[policy][metric], nan_ok=True) for metric in found}
            assert {metric.partition("@")[0] for metric in found} == {"hit_rate", "ndcg", "precision", "recall", "f1", "mrr", "map"}
        assert evaluation.groups[name].people.counts() == expected.people.counts()


def test_the_groups_of_a_kind_hold_every_relevant_item_once():
    histories, targets, users, trained_on = random_case()
    groups = target_groups(make_held_out(histories, targets, users, M), M, trained_on)
    for kind in ("popularity_", "history_"):
        assert (sum(group.targets.astype(int) for name, group in groups.items() if name.startswith(kind)) == 1).all()


def test_cold_items_and_users_have_no_training_interaction():
    histories, targets, users, trained_on = random_case()
    groups = target_groups(make_held_out(histories, targets, users, M), M, trained_on)
    known_items, known_users = set(trained_on.frame["item"]), set(trained_on.frame["user"])
    flat = [(item, user) for each, user in zip(targets, users, strict=True) for item in each]
    assert groups["cold_items"].targets.tolist() == [item not in known_items for item, _ in flat]
    assert groups["cold_users"].targets.tolist() == [user not in known_users for _, user in flat]


def test_without_the_training_part_there_are_only_groups_by_history():
    groups = target_groups(make_held_out([[0], [0] * 6], [[1], [2]], num_items=M), M, None)
    assert list(groups) == ["history_1_to_4", "history_5_to_9"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_popularity_tenths_follow_the_counts(counts):
    counts = np.array(counts)
    tenths = popularity_tenths(counts)
    assert ((tenths >= 1) & (tenths <= 10)).all()
    # more popular items are in earlier tenths, equally popular ones in the same
    for a, b in zip(*np.triu_indices(len(counts)), strict=True):
        assert (counts[a] > counts[b]) <= (tenths[a] <= tenths[b])
        assert (counts[a] == counts[b]) <= (tenths[a] == tenths[b])
    assert np.array_equal(popularity_tenths(counts * 7), tenths)


def test_each_popularity_tenth_holds_a_tenth_of_the_interactions():
    counts = np.arange(1, 2_001)
    mass = np.bincount(popularity_tenths(counts), counts, 11)[1:] / counts.sum()
    assert mass == pytest.approx(np.full(10, 0.1), abs=0.002)
