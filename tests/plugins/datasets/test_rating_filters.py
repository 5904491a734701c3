import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe_plugins.datasets.movielens.movielens_format import last_ratings


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
    assert left.select("timestamp", "user").rows() == sorted(left.select("timestamp", "user").rows())
