"""Names of metrics with a number of places, and their order in tables."""

import pytest

from recframe.metric_names import (
    base_name,
    better_direction,
    default_monitor,
    has_heading,
    heading,
    in_order,
    is_rate,
    metric_at,
    places_of,
    ranking_metrics,
    shown_k,
)


@pytest.mark.parametrize(
    ("name", "base", "places"),
    [
        ("ndcg@10", "ndcg", 10),
        ("return", "return", None),
        ("reward/a@b", "reward/a@b", None),
        ("@5", "@5", None),
        ("hit_rate@", "hit_rate@", None),
    ],
)
def test_a_name_is_taken_apart(name, base, places):
    assert (base_name(name), places_of(name)) == (base, places)


def test_metrics_are_in_the_order_of_tables_and_then_of_k():
    names = ["reward/click", "gini@5", "ndcg@10", "return", "ndcg@5", "hit_rate@10", "reward/aim"]
    assert in_order(names) == ["return", "hit_rate@10", "ndcg@5", "ndcg@10", "gini@5", "reward/click", "reward/aim"]


def test_headings_have_the_k_below_the_name():
    assert heading(metric_at("hit_rate", 10)) == "hit rate\n@10"
    assert heading("click_rate") == "click\nrate"
    assert has_heading("coverage@20")
    assert not has_heading("reward/click")


def test_rates_are_between_0_and_1_with_any_k_and_in_any_table():
    assert all(map(is_rate, ("ndcg@10", "cold_items/f1@5", "cold/click_rate", "coverage")))
    assert not any(map(is_rate, ("novelty@10", "return", "diversity@5")))


def test_rankings_without_texts_have_no_diversity():
    assert "diversity@5" in ranking_metrics((5,), {"texts"})
    assert set(ranking_metrics((5,), {"texts"})) - set(ranking_metrics((5,), ())) == {"diversity@5"}


@pytest.mark.parametrize(("num_items", "k"), [(None, 10), (11, 10), (10, 5), (6, 5), (5, 1), (1, 1)])
def test_a_k_is_shown_whose_lists_do_not_hold_the_whole_catalogue(num_items, k):
    assert shown_k(["ndcg@1", "ndcg@5", "ndcg@10", "ndcg@20"], num_items) == k


@pytest.mark.parametrize(("ks", "metric"), [([1, 10, 20], "ndcg@10"), ([5, 20], "ndcg@20"), ([1], "ndcg@1")])
def test_ndcg_at_the_k_of_the_tables_is_monitored(ks, metric):
    assert default_monitor(ks) == metric
    assert shown_k([metric_at("ndcg", k) for k in ks]) == places_of(metric)


@pytest.mark.parametrize(("names", "k"), [(["ndcg@5", "ndcg@10", "ndcg@20"], 10), (["ndcg@5", "ndcg@20"], 20), (["return"], None)])
def test_one_k_is_shown(names, k):
    assert shown_k(names) == k


def test_lower_is_better_of_gini_and_of_a_metric_that_nobody_knows_nothing_is_said():
    better = {name: better_direction(name) for name in ("return", "gini", "gini@10", "cold_items/ndcg@5", "log/gini@5", "regret", "asked")}
    assert better == dict.fromkeys(("return", "cold_items/ndcg@5"), "max") | dict.fromkeys(("gini", "gini@10", "log/gini@5"), "min") | {
        "regret": None,
        "asked": None,
    }


def test_a_reward_term_that_is_called_like_a_metric_is_a_part_of_the_return():
    assert better_direction("reward/gini") == "max"
    assert not is_rate("reward/coverage")
