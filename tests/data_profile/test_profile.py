"""The profile of data: figures against plain computations, and each doubt against data that it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.data_profile import profile_of
from recframe.data_profile.quantities import LEVELS, Histogram, Quantiles, concentration, gini_index
from recframe.interfaces import Catalog, Data, Interactions, Texts, Users

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = int(datetime(2020, 1, 1, 3, 4, 5, tzinfo=UTC).timestamp())
counts = st.lists(st.integers(0, 50), min_size=1, max_size=40)


def catalog(texts: list[str], titles: list[str] | None = None, ids: list[str] | None = None) -> Catalog:
    ids = ids or [f"id-{place}" for place in range(len(texts))]
    return Catalog(ids, texts, pl.DataFrame({"title": titles or texts, "year": [None, *range(1, len(texts))]}), torch.ones(len(texts)))


def data_of(rows: list[tuple], names: tuple[str, ...] = ("rating",), num_items: int | None = None, **extra: list) -> Data:
    """Data with the interactions `(user, item, time, *signals)` and a different text for each item."""
    frame = pl.DataFrame(rows, schema=["user", "item", "timestamp", *names], orient="row").with_columns(
        pl.col("user", "item", "timestamp").cast(pl.Int64), *(pl.Series(name, values) for name, values in extra.items())
    )
    size = num_items or int(frame["item"].max()) + 1
    people = int(frame["user"].max()) + 1
    texts = [f"a story about the number {place}" for place in range(size)]
    return Data(catalog(texts), Users([f"u{place}" for place in range(people)]), Interactions(frame, names, "log"))


def ordinary(users: int = 30, items: int = 12, each: int = 8) -> list[tuple]:
    """Rows about which there is nothing to doubt."""
    generator = np.random.default_rng(0)
    rows = [
        (user, item, START + 100_000 * place + 977 * user, float(generator.integers(1, 6)))
        for user in range(users)
        for place, item in enumerate(generator.permutation(items)[:each])
    ]
    return sorted(rows, key=lambda row: row[2])


def doubts(data: Data) -> dict[str, int]:
    return {doubt.what: doubt.count for doubt in profile_of(data, "data", NOW).doubts}


# --- figures


def test_counts_and_sparsity():
    rows = [(0, 0, 10, 1.0), (0, 1, 20, 2.0), (1, 1, 30, 3.0), (1, 1, 40, 4.0)]
    profile = profile_of(data_of(rows, num_items=5), "data", NOW)
    assert (profile.num_users, profile.num_items, profile.num_interactions, profile.num_pairs) == (2, 5, 4, 3)
    assert profile.density == 3 / 10
    assert (profile.items.without, profile.items.once, profile.items.top) == (3, 1, 3)
    assert profile.attributes == {"year": 4 / 5}


def test_quantiles_of_interactions_are_those_of_numpy():
    rows = ordinary()
    profile = profile_of(data_of(rows), "data", NOW)
    per_item = np.bincount([row[1] for row in rows])
    assert profile.items.quantiles.values == tuple(np.quantile(per_item, LEVELS, method="inverted_cdf"))
    assert profile.items.quantiles.mean == pytest.approx(per_item.mean())


@given(counts)
def test_the_gini_coefficient_is_the_mean_difference_over_twice_the_mean(numbers):
    values = np.array(numbers, dtype=float)
    expected = 0.0 if not values.sum() else np.abs(values[:, None] - values).mean() / (2 * values.mean())
    assert gini_index(pl.Series(numbers)) == pytest.approx(expected, abs=1e-12)


@given(counts)
def test_the_concentration_curve_rises_from_nothing_to_all_above_the_diagonal(numbers):
    points = concentration(pl.Series(numbers))
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0 if sum(numbers) else 0.0)
    heights = [height for _, height in points]
    assert heights == sorted(heights)
    assert not sum(numbers) or all(height >= share - 1e-9 for share, height in points)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=50))
def test_histograms_count_every_number_once(numbers):
    series = pl.Series(numbers)
    assert sum(Histogram.of_counts(series).counts) == len(numbers)
    assert sum(Histogram.of(series).counts) == len(numbers)
    log = Histogram.of_counts(series)
    assert log.counts == tuple(sum(low <= n < high for n in numbers) for low, high in pairwise(log.edges))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_quantiles_are_values_that_occur(numbers):
    found = Quantiles.of(pl.Series(numbers))
    assert set(found.values) <= set(numbers)
    assert (found.values[0], found.values[-1]) == (min(numbers), max(numbers))


def test_feedback_with_few_values_is_counted_and_with_many_binned():
    rows = [(place % 9, place % 5, START + place, float(place % 3), place / 7) for place in range(90)]
    few, many = profile_of(data_of(rows, ("rating", "watched")), "data", NOW).feedback
    assert few.values == ((0.0, 30), (1.0, 30), (2.0, 30))
    assert few.histogram is None
    assert many.values is None
    assert sum(many.histogram.counts) == 90


def test_missing_feedback_is_not_measured():
    rows = [(0, place, START + place, rating) for place, rating in enumerate([1.0, None, float("nan"), 3.0])]
    (rating,) = profile_of(data_of(rows), "data", NOW).feedback
    assert (rating.known, rating.missing) == (2, 2)
    assert rating.quantiles.mean == 2.0


def test_feedback_that_is_never_known_is_all_missing():
    rows = [(0, place, START + place, None) for place in range(3)]
    (rating,) = profile_of(data_of([(*row[:3], float("nan")) for row in rows]), "data", NOW).feedback
    assert (rating.known, rating.missing, rating.quantiles) == (0, 3, None)


def test_the_known_entries_of_a_rating_matrix_are_interactions_without_times():
    ratings = torch.tensor([[1.0, float("nan"), 3.0], [2.0, 2.0, float("nan")]])
    data = Data(catalog(["a b", "b c", "c d"]), Users(["x", "y"]), ratings=ratings, held_out=torch.tensor([False, True]))
    profile = profile_of(data, "data", NOW)
    assert (profile.num_interactions, profile.time, profile.density) == (4, None, 4 / 6)
    assert profile.feedback[0].values == ((1.0, 1), (2.0, 2), (3.0, 1))


def test_attributes_that_are_empty_are_not_known():
    attributes = pl.DataFrame({"title": list("abcd"), "genres": [["x"], [], None, ["y"]], "place": ["here", "", " ", None]})
    data = Data(Catalog(list("1234"), list("abcd"), attributes, torch.ones(4)))
    assert profile_of(data, "data", NOW).attributes == {"genres": 0.5, "place": 0.25}


def test_data_without_interactions_have_the_profile_of_their_texts():
    profile = profile_of(Data(catalog(["one thing", "another thing"])), "data", NOW)
    assert (profile.num_users, profile.num_interactions, profile.users, profile.density) == (0, 0, None, None)
    assert profile.texts["items"].with_text == 2


def test_a_text_that_is_the_id_or_empty_is_none():
    coverage = profile_of(Data(catalog(["id-0", "  ", "a film", "a film"])), "data", NOW).texts["items"]
    assert (coverage.total, coverage.with_text, coverage.distinct, coverage.repeated) == (4, 2, 1, 2)
    assert coverage.repeats == (("a film", 2),)
    assert coverage.words.values == (2.0,) * len(LEVELS)


def test_texts_of_users_contexts_and_interactions_are_measured_too():
    rows = [(0, 0, START, 1.0), (1, 1, START + 1, 2.0)]
    data = data_of(rows, text=["I liked it", None])._replace(contexts=Texts(["hello", "hello"]))
    data = data._replace(users=Users(["u0", "u1"], profiles=Texts(["a teacher", "u1"])))
    texts = profile_of(data, "data", NOW).texts
    assert {role: (one.with_text, one.total) for role, one in texts.items()} == {
        "items": (2, 2),
        "users": (1, 2),
        "contexts": (2, 2),
        "interactions": (1, 2),
    }


# --- doubts


def test_ordinary_data_raise_no_doubt():
    assert doubts(data_of(ordinary())) == {}


def with_rows(change) -> dict[str, int]:
    return doubts(data_of([change(place, row) for place, row in enumerate(ordinary())]))


@pytest.mark.parametrize(
    ("what", "count", "change"),
    [
        ("all times are equal", 240, lambda _, row: (*row[:2], START, row[3])),
        ("times in the future", 240, lambda _, row: (*row[:2], row[2] * 1000, row[3])),
        ("times before 1990", 240, lambda place, row: (*row[:2], place, row[3])),
        ("times before 1990", 3, lambda place, row: (*row[:2], 0 if place < 3 else row[2], row[3])),
        ("times are days", 240, lambda _, row: (*row[:2], row[2] // 86_400 * 86_400, row[3])),
        ("rating is always the same", 240, lambda _, row: (*row[:3], 1.0)),
        ("rating has one value almost always", 237, lambda place, row: (*row[:3], 5.0 if place < 3 else 1.0)),
        ("rating is missing", 4, lambda place, row: (*row[:3], None if place < 4 else row[3])),
    ],
)
def test_a_doubt_is_raised_with_its_count(what, count, change):
    assert with_rows(change)[what] == count


def test_a_user_with_a_large_share_is_counted():
    rows = [(0 if place % 4 == 0 else user, *rest) for place, (user, *rest) in enumerate(ordinary())]
    assert doubts(data_of(rows))["one user has many interactions"] == sum(row[0] == 0 for row in rows) > 60


def test_times_that_go_backwards_are_counted_in_the_order_of_the_rows():
    rows = ordinary()
    rows[0], rows[-1] = (0, 1, rows[-1][2], 3.0), (0, 1, rows[0][2], 4.0)
    found = doubts(data_of(rows))["times that go backwards for a user"]
    times = [row[2] for row in rows if row[0] == 0]
    assert found == sum(later < earlier for earlier, later in pairwise(times)) > 0


def test_interactions_of_a_user_in_one_second_are_counted():
    rows = [(user, item, START + 1000 * user + item // 4, 1.0 + item % 3) for user in range(30) for item in range(8)]
    assert doubts(data_of(rows))["interactions in the same second as another of the user"] == 240


def test_rows_that_are_there_twice_are_counted():
    rows = ordinary()
    assert doubts(data_of([*rows, *rows[:5]]))["rows that are there twice"] == 5


def test_users_and_items_with_few_interactions_are_counted():
    rows = [*ordinary(), (30, 12, START + 9_000_000, 2.0), (31, 13, START + 9_000_001, 4.0), (33, 0, START + 9_000_002, 5.0)]
    found = doubts(data_of(rows, num_items=17))
    assert found["users with a single interaction"] == 3
    assert found["users without an interaction"] == 1
    assert found["items with a single interaction"] == 2
    assert found["items that nobody met"] == 3


def test_a_log_of_independent_decisions_is_one_doubt_about_users():
    rows = [(user, user % 12, START + 977 * user, 1.0 + user % 4) for user in range(240)]
    found = doubts(data_of(rows))
    assert found["every user has one interaction"] == 240
    assert "users with a single interaction" not in found


def test_an_item_that_takes_much_of_the_log_is_named():
    rows = [
        (user, 0 if place % 2 else 1 + (user + place) % 24, START + 977 * place + user, 1.0 + place % 4)
        for user in range(30)
        for place in range(8)
    ]
    assert doubts(data_of(rows, num_items=25))["one item has many interactions"] == 120


def test_propensities_that_are_no_probabilities_are_counted():
    rows = ordinary()
    propensity = [0.0, None, 1.5, float("nan"), *[0.25] * (len(rows) - 4)]
    found = doubts(data_of(rows, propensity=propensity))
    assert found["propensities of 0, or missing ones"] == 3
    assert found["propensities above 1"] == 1


@pytest.mark.parametrize(
    ("what", "count", "texts"),
    [
        ("items without a text", 2, ["", "id-1", "a film"]),
        ("items with a text that others have, too", 2, ["a film", "a film", "b film"]),
        ("item texts with markup", 2, ["<b>a</b> film", "Tom &amp; Jerry", "3 < 4 & 5"]),
        ("item texts with broken letters", 2, ["Am\u00c3\u00a9lie", "it\u00e2\u20ac\u2122s", "Am\u00e9lie \u00c5"]),
        ("item texts with control characters", 2, ["\x1b[31mred", "abc\u202edef", "a\tfilm"]),
        ("very long item texts", 1, ["word " * 500, "a film"]),
    ],
)
def test_doubts_about_texts(what, count, texts):
    titles = [f"title {place} of it" for place in range(len(texts))]
    assert doubts(Data(catalog(texts, titles)))[what] == count


def test_titles_that_look_like_ids_are_a_doubt_and_a_few_numbers_are_none():
    names = [f"The film number {place}" for place in range(30)]
    assert "titles that look like ids" not in doubts(Data(catalog(names, ["300", "1984", *names[2:]])))
    codes = [f"B00{place:07}" for place in range(10)]
    assert doubts(Data(catalog(names, [*codes, *names[10:]])))["titles that look like ids"] == 10


def test_items_with_the_same_title_are_counted():
    names = ["Solaris 1972", "Solaris 2002", "Alien 1979"]
    assert doubts(Data(catalog(names, ["Solaris", "Solaris", "Alien"])))["items with the title of another item"] == 2
