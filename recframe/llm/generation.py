"""Writing and scoring tokens with a causal model: batched, with a cache of keys and values, by the model's probabilities alone.

A model's own settings for drawing tokens (top-k, top-p, penalties) are not used: they would change the probabilities without a word.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


@torch.no_grad()
def generate(
    model: Any,
    rows: Sequence[Sequence[int]],
    max_tokens: int,
    temperature: float,
    seeds: Sequence[int],
    ends: Collection[int],
    padding: int,
) -> list[list[int]]:
    """The tokens that a model writes after each row, with the one that ends them, if one did; between 1 and `max_tokens`.

    Parameters
    ----------
    temperature: 0: always the likeliest token; else the logits are divided by it.   seeds: of each row's own draws.
    ends: tokens that end an answer.   padding: any token.
    """
    ids, mask = _left_padded(rows, padding, model.device)
    generators = [Generator().manual_seed(seed) for seed in seeds]
    ending = torch.tensor(sorted(ends), device=model.device, dtype=torch.long)
    open_rows = torch.ones(len(rows), dtype=torch.bool, device=model.device)
    written: list[Tensor] = []
    positions = _positions(mask)
    past: Any = None
    for _ in range(max_tokens):
        output = model(input_ids=ids, attention_mask=mask, past_key_values=past, use_cache=True, **_placed(model, positions))
        past = output.past_key_values
        token = _next(output.logits[:, -1].float(), temperature, generators)
        token = torch.where(open_rows, token, padding)
        written.append(torch.where(open_rows, token, -1))
        open_rows &= ~torch.isin(token, ending)
        if not open_rows.any():
            break
        ids, positions = token[:, None], positions[:, -1:] + 1
        mask = F.pad(mask, (0, 1), value=1)
    table = torch.stack(written, dim=1).tolist()
    return [[token for token in row if token >= 0] for row in table]


@torch.no_grad()
def option_log_probs(model: Any, rows: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]], padding: int) -> list[Tensor]:
    """The log-probability of each option's tokens after its row, `[options]` for each row, on the CPU.

    Options of one token are read off the row's last logits; of others, each is a sequence of the batch with its row.
    """
    if one_token(options):
        ids, mask = _left_padded(rows, padding, model.device)
        last = _log_probs(model, ids, mask, 1)[:, -1].cpu()
        return [of_row[[option[0] for option in given]] for of_row, given in zip(last, options, strict=True)]
    pairs = [(row, option) for row, given in zip(rows, options, strict=True) for option in given]
    ids, mask = _left_padded([[*row, *option] for row, option in pairs], padding, model.device)
    longest = max(len(option) for _, option in pairs)
    log_probs = _log_probs(model, ids, mask, longest + 1)[:, :-1]
    lengths = torch.tensor([len(option) for _, option in pairs], device=model.device)
    of_option = torch.arange(longest, device=model.device) >= longest - lengths[:, None]
    scores = (log_probs.gather(-1, ids[:, -longest:, None]).squeeze(-1) * of_option).sum(dim=1).cpu()
    return list(scores.split([len(given) for given in options]))


def one_token(options: Sequence[Sequence[Sequence[int]]]) -> bool:
    """Whether each option of each row is one token."""
    return all(len(option) == 1 for given in options for option in given)


def _log_probs(model: Any, ids: Tensor, mask: Tensor, last: int) -> Tensor:
    """Log-probabilities of the tokens after each of the last places, `[n, last, V]`: those of all places would be large by far."""
    output = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=last, **_placed(model, _positions(mask)))
    log_probs: Tensor = output.logits[:, -last:].float().log_softmax(dim=-1)
    return log_probs


def _positions(mask: Tensor) -> Tensor:
    """The place of each token in its row, not counting padding."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def _placed(model: Any, positions: Tensor) -> dict[str, Tensor]:
    """The positions as an argument, for a model that takes them; others find them by the mask or need none."""
    return {"position_ids": positions} if "position_ids" in inspect.signature(model.forward).parameters else {}


def _next(logits: Tensor, temperature: float, generators: Sequence[Generator]) -> Tensor:
    """The next token of each row `[n]`, drawn on the CPU, so that a seed means the same everywhere."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    # the largest of the logits with Gumbel noise is a draw from their softmax
    uniform = torch.stack([torch.rand(logits.shape[-1], generator=generator) for generator in generators])
    noise = -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float32).tiny)))
    return (logits / temperature + noise.to(logits.device)).argmax(dim=-1)


def _left_padded(rows: Sequence[Sequence[int]], padding: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and mask `[n, L]`, with padding on the left, so that all rows go on at the same place."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[padding] * (longest - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
