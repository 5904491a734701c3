"""Rankings on logs: every metric equals its definition, computed directly, and lists that break the rules are refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.evaluation.people import QUERIES
from recframe.evaluation.ranking import RankingError, evaluate_ranking, ranking_means
from recframe.evaluation.ranking.whole_lists import whole_lists
from recframe.interfaces import PAD, self_information
from recframe.metric_names import ranking_metrics
from tests.evaluation.ranked_log import Fixed, Scored, make_catalog, make_held_out

M = 9
KS = (1, 3, 4)


@st.composite
def cases(draw):
    """Queries with one or several relevant items, those of a user up to three times, and lists that may end in PAD."""
    count = draw(st.integers(1, 8))
    subsets = st.lists(st.integers(0, M - 1), min_size=1, max_size=5, unique=True)
    histories = [draw(st.lists(st.integers(0, M - 1), min_size=1, max_size=3)) for _ in range(count)]
    targets = [draw(subsets) for _ in range(count)]
    users = [draw(st.integers(0, count // 2)) for _ in range(count)]
    lists = []
    for history in histories:
        allowed = [item for item in draw(st.permutations(range(M))) if item not in history]
        kept = draw(st.integers(0, max(KS)))
        lists.append((allowed[:kept] + [PAD] * max(KS))[: max(KS)])
    return histories, targets, users, lists


def definitions(shown, relevant, k):
    """The accuracy of one list, from the definitions."""
    first = [item for item in shown[:k] if item != PAD]
    hits = [item in relevant for item in first]
    precision, recall = sum(hits) / k, sum(hits) / len(relevant)
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
    best = sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))
    average = sum(sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit) / min(k, len(relevant))
    return {
        "hit_rate": float(any(hits)),
        "ndcg": gain / best,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if any(hits) else 0.0,
        "mrr": next((1 / (place + 1) for place, hit in enumerate(hits) if hit), 0.0),
        "map": average,
    }


def pairwise_distance(items, vectors):
    """Mean cosine distance of all pairs."""
    units = [vectors[item] / vectors[item].norm() for item in items]
    pairs = [1 - float(units[a] @ units[b]) for a in range(len(items)) for b in range(a)]
    return sum(pairs) / len(pairs)


def gini_of(counts):
    """From all pairs of items."""
    return sum(abs(int(a) - int(b)) for a in counts for b in counts) / (2 * len(counts) * sum(counts))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_metrics_equal_their_definitions(case):
    histories, targets, users, lists = case
    catalog = make_catalog(M)
    held_out = make_held_out(histories, targets, users, M)
    evaluation = evaluate_ranking({"policy": Fixed(torch.tensor(lists))}, held_out, catalog, history_length=2, ks=KS, resamples=20)
    measured = evaluation.policies["policy"]
    information = self_information(catalog.popularity)
    for k in KS:
        each = [definitions(shown, relevant, k) for shown, relevant in zip(lists, targets, strict=True)]
        for metric in each[0]:
            assert measured[f"{metric}@{k}"]["mean"] == pytest.approx(np.mean([values[metric] for values in each]), abs=1e-9)
        shown = [[item for item in items[:k] if item != PAD] for items in lists]
        everything = [item for items in shown for item in items]
        several = [items for items in shown if len(items) > 1]
        if several:
            distance = np.mean([pairwise_distance(items, catalog.text_vectors) for items in several])
            assert measured[f"diversity@{k}"]["mean"] == pytest.approx(distance, abs=1e-5)
        else:
            assert f"diversity@{k}" not in measured
        if everything:
            assert measured[f"novelty@{k}"]["mean"] == pytest.approx(float(information[everything].mean()))
            assert measured[f"coverage@{k}"]["mean"] == pytest.approx(len(set(everything)) / M)
            assert measured[f"gini@{k}"]["mean"] == pytest.approx(gini_of(np.bincount(everything, minlength=M)))
        else:
            assert f"coverage@{k}" not in measured
    assert {value["n"] for name, value in measured.items() if name.startswith("ndcg")} == {len(set(users))}
    assert [name for name in ranking_metrics(KS, {"texts"}) if name in measured] == list(measured), "in the order of tables"
    means = ranking_means(Fixed(torch.tensor(lists)), held_out, catalog, history_length=2, ks=KS)
    assert means == pytest.approx({name: value["mean"] for name, value in measured.items()}, abs=1e-9)


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        ([[1, 2, 1], [3, 4, 5]], "user 7 has an item twice.*\\[1, 2, 1\\]"),
        ([[1, 2, 3], [6, 4, 5]], "user 8 has an item of observation.excluded.*\\[6, 4, 5\\]"),
        ([[1, 2, 9], [3, 4, 5]], "user 7 has a number that is no item"),
        ([[1, 2, -2], [3, 4, 5]], "user 7 has a number that is no item"),
        ([[1, PAD, 2], [3, 4, 5]], "user 7 has -1 before an item"),
        ([[1, 2], [3, 4]], "must return \\[2, 3\\] int64, not \\[2, 2\\] int64"),
        ([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]], "must return \\[2, 3\\] int64, not \\[2, 3\\] float32"),
    ],
)
def test_a_list_that_breaks_the_rules_is_refused_and_its_author_told_why(lists, problem):
    held_out = make_held_out([[0], [0, 6]], [[1], [1]], [7, 8], M)
    with pytest.raises(RankingError, match=f"policy 'mine'.*{problem}"):
        evaluate_ranking({"mine": Fixed(torch.tensor(lists))}, held_out, make_catalog(M), history_length=2, ks=(3,))


def test_seen_items_may_be_ranked_if_they_are_not_excluded():
    held_out = make_held_out([[0], [0, 6]], [[0], [6]], num_items=M)
    lists = torch.tensor([[0, 1], [6, 0]])
    means = ranking_means(Fixed(lists), held_out, make_catalog(M), history_length=2, ks=(2,), exclude_seen=False)
    assert means["mrr@2"] == 1.0
    assert ranking_means(Scored(torch.arange(M).float()), held_out, make_catalog(M), history_length=2, ks=(2,))["hit_rate@2"] == 0.0


def test_a_policy_is_given_the_last_items_of_a_history_or_all_of_it():
    class Reader(Scored):
        seen: tuple[int, ...] = ()

        def rank(self, observation, k):
            self.seen = tuple(observation.history_items.shape)
            return super().rank(observation, k)

    held_out = make_held_out([[0, 1, 2], [3]], [[5], [5]], num_items=M)
    reader = Reader(torch.arange(M).float())
    ranking_means(reader, held_out, make_catalog(M), history_length=2, ks=(1,))
    assert reader.seen == (2, 2)
    reader.reads_whole_history = True
    ranking_means(reader, held_out, make_catalog(M), history_length=2, ks=(1,))
    assert reader.seen == (2, 3)


def test_batches_do_not_change_the_result(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    held_out = make_held_out([[user % M] for user in range(20)], [[(user + 2) % M, (user + 4) % M] for user in range(20)], num_items=M)
    scores = Scored(torch.rand(20, M, generator=generator))
    whole = evaluate_ranking({"policy": scores}, held_out, make_catalog(M), history_length=1, ks=KS)
    monkeypatch.setattr("recframe.evaluation.ranking.lists.SCORES_AT_ONCE", 3 * M)
    parts = evaluate_ranking({"policy": scores}, held_out, make_catalog(M), history_length=1, ks=KS)
    assert parts.policies == whole.policies


def test_more_places_than_items_are_filled_with_nothing():
    held_out = make_held_out([[0], [1]], [[2], [0]], num_items=3)
    means = ranking_means(Scored(torch.tensor([3.0, 2.0, 1.0])), held_out, make_catalog(3), history_length=1, ks=(5,))
    assert (means["hit_rate@5"], means["precision@5"], means["mrr@5"]) == (1.0, 0.2, 0.75)


def test_the_sums_of_people_give_the_means_and_the_queries_of_a_person_count_as_one():
    held_out = make_held_out([[0], [1], [2]], [[8], [3], [8]], [4, 4, 9], M)
    evaluation = evaluate_ranking({"policy": Scored(torch.arange(M).float())}, held_out, make_catalog(M), history_length=1, ks=(1,))
    sums = evaluation.sums["policy"]
    place = sums.names.index("hit_rate@1")
    assert evaluation.people.ids.tolist() == [4, 9]
    assert (sums.numerators[:, place].tolist(), sums.denominators[:, place].tolist()) == ([1.0, 1.0], [2.0, 1.0])
    assert evaluation.policies["policy"]["hit_rate@1"]["n"] == 2
    assert evaluation.people.counts(QUERIES) == {"people": 2, "queries": 3}


@pytest.mark.parametrize(("ks", "message"), [((), "ks must be numbers of places from 1"), ((0, 5), "not \\[0, 5\\]")])
def test_numbers_of_places_start_at_one(ks, message):
    with pytest.raises(ValueError, match=message):
        ranking_means(Scored(torch.ones(M)), make_held_out([[0]], [[1]], num_items=M), make_catalog(M), history_length=1, ks=ks)


def test_coverage_novelty_and_gini_grow_or_fall_as_they_should():
    held_out = make_held_out([[user % M] for user in range(40)], [[(user + 1) % M] for user in range(40)], num_items=M)
    same, own = Scored(torch.arange(M).float()), Scored(torch.rand(40, M, generator=torch.Generator().manual_seed(0)))
    by_name = evaluate_ranking({"same": same, "own": own}, held_out, make_catalog(M), history_length=1, ks=(2,)).policies
    assert by_name["own"]["coverage@2"]["mean"] == 1.0 > by_name["same"]["coverage@2"]["mean"]
    assert by_name["own"]["gini@2"]["high"] < by_name["same"]["gini@2"]["low"]
    # the items that everybody is recommended are the most popular
    assert by_name["own"]["novelty@2"]["low"] > by_name["same"]["novelty@2"]["high"]


def test_lists_that_hold_every_unseen_item_are_counted():
    # of 8 items, 5, 3 and 6 are not seen; items are seen twice, too
    held_out = make_held_out([[0, 1, 2, 0], [0, 1, 2, 3, 4, 4, 4], [6, 7]], [[3], [5], [0]], num_items=8)
    assert whole_lists(held_out, 8, (1, 2)) == {}
    assert whole_lists(held_out, 8, (2, 3, 5, 5, 6)) == {3: 1, 5: 2, 6: 3}
    # that a list of all items holds them is another matter
    assert whole_lists(held_out, 8, (8, 20)) == {}
