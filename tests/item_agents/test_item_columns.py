"""Columns of item scores: which items they hold, and where values are added."""

import pytest
import torch

from recframe.interfaces import PAD
from recframe.item_agents import CandidateColumns, ItemRange


def test_candidate_columns_contain_their_items_but_no_padding():
    columns = CandidateColumns(torch.tensor([[4, PAD, 2]]))
    assert columns.contains(torch.tensor([[PAD, 2, 7]])).tolist() == [[False, False, True]]
    assert columns.items_at(torch.tensor([[2, 0]])).tolist() == [[2, 4]]


@pytest.mark.parametrize(
    "columns", [ItemRange(2, 6), CandidateColumns(torch.tensor([[2, 3, 4, 5], [2, 3, 4, 5]]))], ids=["range", "candidates"]
)
def test_a_value_is_added_once_to_the_column_of_each_item(columns):
    values = torch.tensor([10.0, 20.0], requires_grad=True)
    found = columns.add_(torch.ones(2, 4), torch.tensor([[5, PAD, 1, 5, 3], [6, 7, PAD, PAD, PAD]]), values)
    assert found.tolist() == [[1, 11, 1, 11], [1, 1, 1, 1]]
    found.sum().backward()
    assert values.grad.tolist() == [2, 0]
