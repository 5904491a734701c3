import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe_plugins.datasets.movielens.movielens_format import k_core, last_ratings

ratings_frames = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=50, unique=True).map(
    lambda pairs: pl.DataFrame(pairs, {"user": pl.Int64, "item": pl.Int64}, orient="row")
)


@settings(max_examples=100, deadline=None)
@given(ratings=ratings_frames, min_user=st.integers(0, 4), min_item=st.integers(0, 4))
def test_k_core_is_the_largest_subset_that_satisfies_the_minima(ratings, min_user, min_item):
    kept = k_core(ratings, min_user, min_item)
    assert all(count >= min_user for count in kept["user"].value_counts()["count"])
    assert all(count >= min_item for count in kept["item"].value_counts()["count"])
    assert k_core(kept, min_user, min_item).equals(kept)
    # dropping rows one at a time, in any order, ends at the same largest subset
    rows = set(ratings.rows())
    while short := next(
        (r for r in rows if sum(u == r[0] for u, _ in rows) < min_user or sum(i == r[1] for _, i in rows) < min_item), None
    ):
        rows.remove(short)
    assert set(kept.rows()) == rows


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=40))
def test_one_last_rating_per_pair_is_left(rows):
    ratings = pl.DataFrame(rows, ["user", "item", "timestamp", "rating"], orient="row")
    expected = {}
    for user, item, timestamp, rating in rows:
        if (user, item) not in expected or timestamp >= expected[user, item][0]:
            expected[user, item] = (timestamp, rating)
    left = last_ratings(ratings, num_items=4)
    assert {(u, i): (t, r) for u, i, t, r in left.rows()} == expected
    assert left.height == len(expected)
    assert left.select("timestamp", "user", "item").rows() == sorted(left.select("timestamp", "user", "item").rows())
