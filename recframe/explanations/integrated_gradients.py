"""Integrated gradients (Sundararajan et al., 2017) of an item's standing by the vectors of a text's tokens, computed by Captum."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.embeddings import AffineMap
from recframe.explanations.text_standings import TextStanding
from recframe.interfaces import TokenReading

STEPS = (20, 64)
"""Points of the path from the blank text to the text; the second number where the first gives too large a residual."""

RESIDUAL = 0.05
"""The part of the standing's change above which a residual is too large."""

TOKENS = 2_048
"""Tokens that go through the model at once."""


class TokenEffects(NamedTuple):
    """effects: `[L]`, of each token.   total: the standing with the text less that with the blank one. They sum to it up to a residual."""

    effects: Tensor
    total: float


def token_effects(reading: TokenReading, reduction: AffineMap | None, standing: TextStanding, column: int) -> TokenEffects | None:
    """The effects of a text's tokens on the standing in a column; None: it has no gradient by them.

    A token's effect is (x - x') times the mean gradient on the straight path from its blank vector x' to its own x, summed over the
    vector's numbers. By the axiom of completeness the effects sum to the difference between the ends of the path.

    Raises
    ------
    ImportError: captum is not installed.
    """
    from captum.attr import IntegratedGradients

    def of_tokens(vectors: Tensor) -> Tensor:
        texts = reading.encode(vectors).to(torch.float32)
        return standing(texts if reduction is None else reduction(texts))

    with torch.enable_grad():
        if not of_tokens(reading.vectors.unsqueeze(0).detach().requires_grad_()).requires_grad:
            return None
    ends = torch.stack([reading.vectors, reading.blank])
    with torch.no_grad():
        with_text, blank = of_tokens(ends)[:, column].tolist()
    total, effects = with_text - blank, torch.zeros(len(reading.vectors))
    batch = max(1, TOKENS // len(reading.vectors))
    for steps in STEPS:
        given = {"baselines": ends[1:], "target": column, "n_steps": steps, "internal_batch_size": batch}
        effects = IntegratedGradients(of_tokens).attribute(ends[:1], **given)[0].sum(dim=1).detach()
        if abs(total - float(effects.sum())) <= RESIDUAL * max(abs(total), float(effects.abs().max())):
            break
    return TokenEffects(effects, total)
