"""Copies of networks that may be asked at once: what one reads for a while, or from now on, the other does not."""

from __future__ import annotations

import copy
import threading

import torch
from torch import nn

from recframe.interfaces import TextTable, independent_copy, tables_of
from recframe.language_models.backbone import frozen_as_buffers

VECTORS = torch.arange(12.0).reshape(4, 3) ** 2
NEW = torch.tensor([[1.0, 0.0, 5.0]])


def network() -> nn.ModuleDict:
    """Two copies of one table, as of a network and its target, and something learned."""
    table = TextTable(VECTORS)
    return nn.ModuleDict({"online": table, "target": copy.deepcopy(table), "learned": nn.Linear(3, 2)})


def test_further_and_other_texts_are_those_of_one_copy_alone():
    one = network()
    with one["online"].appended(NEW):
        pass
    other = independent_copy(one)
    before = one["online"].values.clone()
    assert len(tables_of(one, VECTORS)) == len(tables_of(other, VECTORS)) == 1
    # both at once, as by two threads; the rows are those of each
    with one["online"].appended(NEW), other["online"].appended(NEW + 1):
        for table, vector in ((one["target"], NEW), (other["target"], NEW + 1)):
            # standardized as the table's own are
            scale = (VECTORS[1] - VECTORS[0]) / (before[1] - before[0])
            torch.testing.assert_close(table.values[-1], before[0] + (vector[0] - VECTORS[0]) / scale)
        assert torch.equal(one["target"].values[:4], before)
        assert torch.equal(other["target"].values[:4], before)
    third = independent_copy(other)
    third["target"].replace(VECTORS.flip(0))
    assert torch.equal(third["online"].values, before.flip(0))
    other["online"].replace(VECTORS + 1)
    for unchanged in (one["online"], one["target"]):
        assert torch.equal(unchanged.values, before)
    assert torch.equal(third["online"].values, before.flip(0))


def test_weights_and_texts_are_in_memory_once():
    one = network()
    other = independent_copy(one)
    assert other["online"].values.data_ptr() == one["online"].values.data_ptr()
    assert other["learned"].weight is one["learned"].weight
    # what is replaced in the first one is not replaced in its copies either
    one["target"].replace(VECTORS + 1)
    assert not torch.equal(one["online"].values, other["online"].values)


def test_frozen_weights_are_in_memory_once_and_other_buffers_are_the_copy_s_own():
    one = network()
    one["learned"].register_buffer("noted", torch.zeros(3), persistent=False)
    one["learned"].weight.requires_grad_(False)
    frozen_as_buffers(one["learned"])
    other = independent_copy(one)
    assert not list(one["learned"].named_parameters())[1:]
    assert other["learned"].weight is one["learned"].weight
    assert other["learned"].noted.data_ptr() != one["learned"].noted.data_ptr()


class PutsMore:
    """Makes a dictionary larger the first time it is copied, as an answer that is given meanwhile may do."""

    def __init__(self, filled: dict[str, object]) -> None:
        self.filled = filled

    def __deepcopy__(self, memo: object) -> int:
        self.filled.setdefault("more", 1)
        return 1


def test_what_an_answer_changes_while_it_is_copied_is_copied_once_nobody_asks():
    one, nobody_asks = network(), threading.Lock()
    one.cache = {}
    one.cache |= {"it": PutsMore(one.cache), "last": 2}
    assert independent_copy(one, nobody_asks).cache == {"it": 1, "last": 2, "more": 1}
    assert not nobody_asks.locked()
