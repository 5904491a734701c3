"""The largest numbers of rows, with blocks of any size."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.item_agents import top_columns as module
from recframe.item_agents.top_columns import BLOCK, FEW, largest, top_columns


@given(st.integers(1, 4), st.integers(1, 700), st.integers(1, 12), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_top_columns_finds_the_same_numbers_as_sorting(users, size, k, seed):
    values = torch.randn(users, size, generator=torch.Generator().manual_seed(seed))
    top, columns = top_columns(values, k)
    assert torch.equal(top, values.sort(dim=1, descending=True).values[:, :k])
    assert torch.equal(values.gather(1, columns), top)


def test_no_column_is_found_twice_among_equal_numbers():
    _, columns = top_columns(torch.zeros(2, 10_000), 7)
    assert all(len(row.unique()) == 7 for row in columns)


@settings(max_examples=60, deadline=None)
@given(
    users=st.integers(1, 40),
    blocks=st.integers(0, 3),
    rest=st.sampled_from([0, 1, 63]),
    levels=st.sampled_from([1, 2, 1000]),
    few=st.sampled_from([1, FEW]),
    seed=st.integers(0, 99),
)
def test_largest_finds_the_first_of_equal_numbers(users, blocks, rest, levels, few, seed):
    size = blocks * BLOCK + rest or 5
    # part of a wider matrix, as scores often are
    values = torch.randint(levels, (users, size + 1), generator=torch.Generator().manual_seed(seed)).float()[:, :size]
    values[0] = -torch.inf
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)
        top, columns = largest(values)
    expected = values.max(dim=1, keepdim=True)
    assert torch.equal(top, expected.values)
    assert torch.equal(columns, expected.indices)
