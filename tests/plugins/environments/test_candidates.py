"""Candidate sets: distinct items, and all sets equally likely."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe_plugins.environments.simulation.candidates import SMALL, draw_candidates


@settings(max_examples=60, deadline=None)
@given(items=st.integers(1, 60), data=st.data(), seed=st.integers(0, 2**40))
def test_candidates_are_distinct_and_in_the_catalogue(items, data, seed):
    count = data.draw(st.integers(1, items))
    drawn = draw_candidates(50, items, count, torch.Generator().manual_seed(seed)).sort(dim=1).values
    assert drawn.shape == (50, count)
    assert drawn.min() >= 0
    assert drawn.max() < items
    assert (drawn[:, 1:] > drawn[:, :-1]).all()


@settings(max_examples=60, deadline=None)
@given(items=st.integers(1, 40), data=st.data(), seed=st.integers(0, 2**40))
def test_both_algorithms_draw_the_same_candidates(items, data, seed):
    count = data.draw(st.integers(1, min(items, SMALL)))
    few, many = (torch.Generator().manual_seed(seed) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        expected = draw_candidates(20, items, count, few)
        patch.setattr("recframe_plugins.environments.simulation.candidates.SMALL", 0)
        assert torch.equal(draw_candidates(20, items, count, many), expected)


# with nearly the whole catalogue, collisions lead to further collisions
@pytest.mark.parametrize(("items", "count"), [(6, 3), (6, 5), (8, 4)])
def test_every_set_is_equally_likely(items, count):
    n = 60_000
    drawn = draw_candidates(n, items, count, torch.Generator().manual_seed(0)).sort(dim=1).values
    code = (2**drawn).sum(dim=1)
    seen = torch.stack([(code == sum(2**i for i in chosen)).sum() for chosen in combinations(range(items), count)]).double()
    assert seen.sum() == n
    expected = n / len(seen)
    chi_square = ((seen - expected) ** 2 / expected).sum().item()
    degrees = len(seen) - 1
    # mean `degrees`, variance 2 `degrees`
    assert chi_square < degrees + 4.5 * (2 * degrees) ** 0.5


def test_cost_does_not_depend_on_the_size_of_the_catalogue():
    drawn = draw_candidates(100, 10**12, 20, torch.Generator().manual_seed(0))
    assert drawn.max() > 10**11
    assert drawn.max() < 10**12
