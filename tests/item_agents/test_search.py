"""The best items are the same whether the catalogue is scored at once, in parts, or by its candidates alone."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, best_items
from recframe.item_agents import search as item_search
from recframe.item_agents.search import positions_within, search_items
from recframe.testing import toy_data, toy_observation, toy_spec

ITEMS, USERS = 40, 6
DATA = toy_data(num_items=ITEMS)


class GivenScores(NamedTuple):
    """Given scores `[N, M]`; `asked` lists how many items were scored at once."""

    scores: torch.Tensor
    asked: list

    def of(self, chosen):
        return self.scores.gather(1, chosen)

    def between(self, first, last):
        self.asked.append(last - first)
        return self.scores[:, first:last]


@settings(max_examples=60, deadline=None)
@given(
    at_once=st.integers(1, ITEMS + 1),
    k=st.integers(1, 4),
    num_candidates=st.sampled_from([0, 9]),
    num_excluded=st.sampled_from([0, 4]),
    seed=st.integers(0, 99),
)
def test_search_in_parts_finds_the_same_items(at_once, k, num_candidates, num_excluded, seed):
    spec = toy_spec(DATA, slate_size=k, num_users=USERS, num_candidates=num_candidates, num_excluded=num_excluded)
    generator = torch.Generator().manual_seed(seed)
    observation = toy_observation(spec, DATA, generator)
    scores = torch.randn(USERS, ITEMS, generator=generator)
    expected = best_items(observation, scores, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_search, "MAX_SCORES", at_once * USERS)
        found = search_items(observation, GivenScores(scores, asked := []), ITEMS, k)
    assert torch.equal(found.items, expected)
    assert torch.equal(found.scores, scores.gather(1, expected))
    assert all(size <= max(at_once, k) for size in asked)
    assert sum(asked) == (0 if num_candidates and at_once < ITEMS and max(at_once, k) < ITEMS else ITEMS)


@pytest.mark.parametrize("at_once", [100, 3])
def test_scores_are_minus_infinity_where_too_few_items_may_be_shown(at_once, monkeypatch):
    monkeypatch.setattr(item_search, "MAX_SCORES", at_once)
    spec = toy_spec(DATA, num_users=2, num_candidates=3)
    observation = toy_observation(spec, DATA, torch.Generator())
    observation.candidates = torch.tensor([[5, 7, PAD], [PAD, PAD, PAD]])
    found = search_items(observation, GivenScores(torch.arange(2.0 * ITEMS).reshape(2, ITEMS), []), ITEMS, 3)
    assert found.items[0, :2].tolist() == [7, 5]
    assert found.scores.isinf().tolist() == [[False, False, True], [True, True, True]]
    assert ((found.items >= 0) & (found.items < ITEMS)).all()


def test_positions_are_counted_from_the_first_item():
    numbers = torch.tensor([[PAD, 0, 9, 10, 14, 15]])
    assert positions_within(numbers, 10, 15).tolist() == [[PAD, PAD, PAD, 0, 4, PAD]]
    assert torch.equal(positions_within(numbers, 0, 20), numbers)
