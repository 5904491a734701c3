"""What could have been shown in logged decisions: lists that are held once, and the items above on a slate."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import NO_LIST, PAD, LoggedChoices

LISTS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=5), max_size=4)


def choices_of_lists(lists: list[list[int]], numbers: list[int], slates: list[int] | None = None) -> LoggedChoices:
    lengths = torch.tensor([0, *(len(one) for one in lists)])
    return LoggedChoices(
        torch.tensor(list(range(len(numbers))) if slates is None else slates, dtype=torch.int64),
        torch.tensor(numbers, dtype=torch.int64),
        torch.full((len(numbers),), NO_LIST),
        torch.zeros(len(numbers), dtype=torch.bool),
        torch.tensor([item for one in lists for item in one], dtype=torch.int64),
        lengths.cumsum(0),
    )


@given(LISTS, st.data())
def test_each_row_has_the_items_of_its_list(lists, data):
    numbers = data.draw(st.lists(st.integers(NO_LIST, len(lists) - 1), max_size=6))
    choices = choices_of_lists(lists, numbers)
    found = choices.items_of(choices.candidates)
    expected = [[] if number == NO_LIST else lists[number] for number in numbers]
    assert [[item for item in row if item != PAD] for row in found.tolist()] == expected
    assert choices.lengths(choices.candidates).tolist() == [len(one) for one in expected]
    assert found.shape == (len(numbers), max(1, *(len(one) for one in expected), 1) if expected else 1)


@given(st.lists(st.integers(1, 4), max_size=6))
def test_places_above_are_counted_on_each_slate(sizes):
    slates = [number % 3 for number, size in enumerate(sizes) for _ in range(size)]
    # slates of one number that are next to each other would be one
    assert choices_of_lists([], [NO_LIST] * len(slates), slates).above.tolist() == [place for size in sizes for place in range(size)]


def test_rows_are_chosen_by_numbers_and_masks_with_the_lists_as_they_are():
    choices = choices_of_lists([[1, 2], [3]], [1, NO_LIST, 0])
    for some in (torch.tensor([0, 2]), torch.tensor([True, False, True])):
        chosen = choices.rows(some)
        assert chosen.candidates.tolist() == [1, 0]
        assert chosen.listed.tolist() == [True, True]
        assert chosen.items_of(chosen.candidates).tolist() == [[3, PAD], [1, 2]]


def test_an_empty_list_of_exclusions_excludes_nothing_and_is_no_restriction():
    choices = LoggedChoices(*(torch.tensor(part) for part in ([0], [NO_LIST], [0], [False])), torch.zeros(0).long(), torch.tensor([0, 0]))
    assert not choices.listed.any()
    assert choices.items_of(choices.excluded).tolist() == [[PAD]]
