"""Batches of texts whose padded tokens are bounded."""

import pytest

from recframe.interfaces import token_batches

LENGTHS = [3, 9, 1, 4, 25, 4, 2, 0, 8]


def test_batches_with_the_longest_texts_first():
    assert list(token_batches(LENGTHS, 18)) == [[4], [1, 8], [3, 5, 0, 6], [2, 7]]


def test_batches_with_the_shortest_texts_first():
    assert list(token_batches(LENGTHS, 18, longest_first=False)) == [[7, 2, 6, 0], [3, 5], [8, 1], [4]]


@pytest.mark.parametrize("longest_first", [True, False])
def test_batches_are_bounded_in_padded_tokens_and_have_each_text_once(longest_first):
    batches = list(token_batches(LENGTHS, 18, longest_first=longest_first))
    assert sorted(row for batch in batches for row in batch) == list(range(len(LENGTHS)))
    assert all(len(batch) == 1 or len(batch) * max(LENGTHS[row] for row in batch) <= 18 for batch in batches)


def test_no_texts_make_no_batches():
    assert list(token_batches([], 18)) == []
