"""Pooling, against numbers worked out by hand; padding on either side does not matter."""

from __future__ import annotations

import pytest
import torch

from recframe_plugins.encoders.transformers.pooling import POOLING

# a text of three tokens and one of a single token
TOKENS = torch.tensor([[[1.0, 0.0], [2.0, 6.0], [6.0, 3.0]], [[5.0, 7.0], [1e30, -1e30], [1e30, 1e30]]])
MASK = torch.tensor([[1, 1, 1], [1, 0, 0]])
BY_HAND = {
    "cls": [[1.0, 0.0], [5.0, 7.0]],
    "last": [[6.0, 3.0], [5.0, 7.0]],
    "mean": [[3.0, 3.0], [5.0, 7.0]],
    # (1*1 + 2*2 + 3*6) / 6, (1*0 + 2*6 + 3*3) / 6
    "weighted_mean": [[23 / 6, 21 / 6], [5.0, 7.0]],
}


@pytest.mark.parametrize("name", POOLING)
def test_pooling_gives_the_numbers_worked_out_by_hand(name):
    assert torch.allclose(POOLING[name](TOKENS, MASK), torch.tensor(BY_HAND[name]))


@pytest.mark.parametrize("name", POOLING)
def test_padding_on_the_left_changes_nothing(name):
    tokens, mask = TOKENS.clone(), torch.tensor([[1, 1, 1], [0, 0, 1]])
    tokens[1] = tokens[1].flip(0)
    assert torch.allclose(POOLING[name](tokens, mask), torch.tensor(BY_HAND[name]))
