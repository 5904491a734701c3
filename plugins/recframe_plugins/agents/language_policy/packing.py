"""Prompts with branches at some of their tokens, several of them in one row of the model's batch, so that little of it is padding.

Sequences of a log are of very different lengths, and often an item was taken at a few of their places only. So each sequence is what is
needed of it: the tokens of its prompt up to its last branch, then its branches. Sequences share rows of about the longest one's length;
none sees another.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recframe.language_models.backbone import Backbone
from recframe.language_models.reading import PromptVectors


class Branches(NamedTuple):
    """Tokens that continue prompts.

    tokens: `[n, T, E]`.   prompt: `[n]` int64, ascending, the prompt that each continues.   end: `[n]` int64, how many of the prompt's
    tokens it sees, padding included.
    """

    tokens: Tensor
    prompt: Tensor
    end: Tensor


class Rows(NamedTuple):
    """Where sequences lie in R rows: `row` and `start`, `[B]` int64; `number` is R, `width` the length of the rows."""

    row: Tensor
    start: Tensor
    number: int
    width: int


class _Places(NamedTuple):
    """What is at each place of the rows, `[R, W]` int64.

    owner: the sequence; -1: padding.   branch: the number of the branch; -1: part of a prompt.   position: that of the token.
    sees: how many tokens of the sequence's prompt it sees.
    """

    owner: Tensor
    branch: Tensor
    position: Tensor
    sees: Tensor


def in_rows(lengths: Tensor) -> Rows:
    """Rows for sequences of `lengths` `[B]` int64: as many as the longest sequence would fill, all about equally full.

    Turn by turn, each row gets one more sequence, the emptiest row the longest one that is left.
    """
    count = max(int(lengths.sum()) // max(int(lengths.max()), 1), 1)
    row, start = torch.empty_like(lengths), torch.empty_like(lengths)
    filled = lengths.new_zeros(count)
    for turn in lengths.argsort(descending=True, stable=True).split(count):
        emptiest = filled.argsort(stable=True)[: len(turn)]
        row[turn], start[turn] = emptiest, filled[emptiest]
        filled[emptiest] += lengths[turn]
    return Rows(row, start, count, int(filled.max()))


def read_branches(backbone: Backbone, prompts: PromptVectors, branches: Branches, batch_tokens: int) -> tuple[Tensor, int]:
    """The vectors `[n, T, E]` of n branches, and how many tokens passed through the model, padding included.

    A token of a prompt sees the prompt up to itself; one of a branch sees the prompt up to the branch's `end`, and its branch up to itself.

    batch_tokens: tokens that pass through the model at once; of more, parts are computed again in the backward pass.
    """
    device, (count, length, dim) = prompts.tokens.device, branches.tokens.shape
    number = torch.bincount(branches.prompt, minlength=len(prompts.tokens))
    # what follows the last branch is read by nobody
    end = torch.zeros_like(number).scatter_reduce(0, branches.prompt, branches.end, "amax")
    read = prompts.present & (torch.arange(prompts.present.shape[1], device=device) < end.unsqueeze(1))
    before = read.cumsum(1)
    own = before[:, -1]
    rows = in_rows(own + number * length)

    rank, depth = before[read] - 1, torch.arange(length, device=device)
    nth = torch.arange(count, device=device) - (number.cumsum(0) - number)[branches.prompt]
    sees = before[branches.prompt, branches.end - 1]
    owner = torch.cat([read.nonzero()[:, 0], branches.prompt.repeat_interleave(length)])
    in_sequence = torch.cat([rank, ((own[branches.prompt] + nth * length).unsqueeze(1) + depth).flatten()])
    place = (rows.row * rows.width + rows.start)[owner] + in_sequence

    def laid_out(values: Tensor, empty: int) -> Tensor:
        flat = values.new_full((rows.number * rows.width, *values.shape[1:]), empty)
        rows_of: Tensor = flat.index_put((place,), values).unflatten(0, (rows.number, rows.width))
        return rows_of

    places = _Places(
        laid_out(owner, -1),
        laid_out(torch.cat([torch.full_like(rank, -1), torch.arange(count, device=device).repeat_interleave(length)]), -1),
        laid_out(torch.cat([rank, (sees.unsqueeze(1) + depth).flatten()]), 0),
        # padding sees padding, as a softmax over nothing is NaN
        laid_out(torch.cat([rank + 1, sees.repeat_interleave(length)]), 1),
    )
    tokens = laid_out(torch.cat([prompts.tokens[read], branches.tokens.flatten(0, 1)]), 0)
    hidden = _in_parts(backbone, tokens, places, max(batch_tokens // rows.width, 1))
    return hidden.flatten(0, 1)[place[len(rank) :]].view(count, length, dim), rows.number * rows.width


def _in_parts(backbone: Backbone, tokens: Tensor, places: _Places, size: int) -> Tensor:
    """The vectors of all rows, of `size` rows at a time."""
    if len(tokens) <= size:
        return _read(backbone, tokens, places)
    parts = zip(tokens.split(size), *(part.split(size) for part in places), strict=True)
    return torch.cat([checkpoint(_read, backbone, part[0], _Places(*part[1:]), use_reentrant=False) for part in parts])


def _read(backbone: Backbone, tokens: Tensor, places: _Places) -> Tensor:
    def to_keys(compare: Tensor) -> Tensor:
        return compare.unsqueeze(1)

    def of_queries(compare: Tensor) -> Tensor:
        return compare.unsqueeze(2)

    column = torch.arange(tokens.shape[1], device=tokens.device)
    of_prompt = to_keys(places.position) < of_queries(places.sees)
    of_branch = (to_keys(places.branch) == of_queries(places.branch)) & (column <= column.unsqueeze(1))
    visible = (to_keys(places.owner) == of_queries(places.owner)) & torch.where(to_keys(places.branch) < 0, of_prompt, of_branch)
    hidden: Tensor = backbone(tokens, visible, places.position)
    return hidden
