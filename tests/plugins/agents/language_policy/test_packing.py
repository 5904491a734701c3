"""Sequences packed into rows: what the model gives for each is what it gives for it alone, and little of the rows is padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.language_models.backbone import Backbone
from recframe.language_models.reading import PromptVectors
from recframe_plugins.agents.language_policy.packing import Branches, in_rows, read_branches

WIDTH, SIZE, LENGTH = 16, 9, 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=200))
def test_sequences_share_rows_and_no_place(lengths):
    rows = in_rows(torch.tensor(lengths))
    taken = torch.zeros(rows.number, rows.width, dtype=torch.int64)
    for length, row, start in zip(lengths, rows.row.tolist(), rows.start.tolist(), strict=True):
        taken[row, start : start + length] += 1
    assert int(taken.sum()) == sum(lengths)
    assert not taken.numel() or int(taken.max()) <= 1
    # no row is longer than what is dealt to the shortest row and one more sequence
    assert rows.width <= sum(lengths) // rows.number + max(lengths)


def test_rows_of_lengths_as_in_a_log_are_nearly_full():
    lengths = (torch.rand(256, generator=torch.Generator().manual_seed(0)) ** 3 * 200).long() + 8
    rows = in_rows(lengths)
    assert int(lengths.sum()) > 0.8 * rows.number * rows.width


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    return Backbone.from_scratch(layers=2, width=WIDTH, heads=2)


@pytest.fixture
def packed():
    """Prompts `[5, SIZE]` with gaps, of which one has no branch, and branches after any of their tokens."""
    generator = torch.Generator().manual_seed(1)
    present = torch.rand(5, SIZE, generator=generator) < 0.7
    present[:, 0] = True
    prompts = PromptVectors(torch.randn(5, SIZE, WIDTH, generator=generator).requires_grad_(), present)
    prompt = torch.tensor([0, 0, 0, 1, 3, 3, 4, 4, 4, 4])
    end = torch.randint(1, SIZE + 1, (10,), generator=generator)
    return prompts, Branches(torch.randn(10, LENGTH, WIDTH, generator=generator).requires_grad_(), prompt, end)


def alone(backbone, prompts, branches):
    """Each branch behind its prompt, without anything else."""
    hidden = []
    for tokens, prompt, end in zip(*branches, strict=True):
        seen = prompts.tokens[prompt, :end][prompts.present[prompt, :end]]
        line = torch.cat([seen, tokens]).unsqueeze(0)
        size = line.shape[1]
        causal = torch.ones(1, size, size, dtype=torch.bool).tril()
        hidden.append(backbone(line, causal, torch.arange(size).unsqueeze(0))[0, -LENGTH:])
    return torch.stack(hidden)


@pytest.mark.parametrize("batch_tokens", [65_536, 1])
def test_packed_branches_are_what_each_is_alone_with_its_gradients(backbone, packed, batch_tokens):
    prompts, branches = packed
    weights = torch.randn(10, LENGTH, WIDTH, generator=torch.Generator().manual_seed(2))
    given = (prompts.tokens, branches.tokens)
    hidden, tokens = read_branches(backbone, prompts, branches, batch_tokens)
    expected = alone(backbone, prompts, branches)
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=1e-4)
    found, wanted = (torch.autograd.grad((of * weights).sum(), given) for of in (hidden, expected))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)
    assert tokens < 2 * (int(prompts.present.sum()) + 10 * LENGTH)
