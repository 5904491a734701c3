"""A prompt that a backbone has read once, and branches of tokens that continue it, side by side, in one cache of keys and values.

A token of a branch sees the prompt, the tokens before it in its branch, and itself. So the branches of beam search, the items of a slate
and the candidates of a ranking share the work for their prompt, and beams need no copies of the cache: a beam only remembers which of the
tokens written so far are its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from recframe.language_models.backbone import Backbone


class PromptVectors(NamedTuple):
    """Tokens `[N, P, E]`, and which of them are there, `[N, P]` bool: others are padding, which may be anywhere but at the end."""

    tokens: Tensor
    present: Tensor


class Reading:
    """A prompt read by a backbone, and what was written after it.

    last: `[N, E]`, the vector of the prompt's last token.
    """

    def __init__(self, backbone: Backbone, prompt: PromptVectors) -> None:
        self.backbone = backbone
        self.present = prompt.present
        size = prompt.present.shape[1]
        positions = (prompt.present.long().cumsum(dim=1) - 1).clamp(min=0)
        self.length = prompt.present.sum(dim=1)
        earlier = torch.ones(size, size, dtype=torch.bool, device=prompt.present.device).tril()
        # padding sees itself, as a softmax over nothing is NaN
        visible = (earlier & prompt.present.unsqueeze(1)) | torch.eye(size, dtype=torch.bool, device=earlier.device)
        self.cache = DynamicCache()
        self.last: Tensor = backbone(prompt.tokens, visible, positions, self.cache)[:, -1]
        self.depth = 0
        self.lineage = self._nothing()

    def _nothing(self) -> Tensor:
        return self.present.new_zeros(len(self.present), 1, 0)

    def restart(self) -> None:
        """Forget what was written after the prompt."""
        written = self.cache.get_seq_length() - self.present.shape[1]
        if written:
            self.cache.crop(-written)
        self.depth = 0
        self.lineage = self._nothing()

    def follow(self, parents: Tensor) -> None:
        """Let branch b go on from branch `parents[:, b]` of those so far; `[N, B]` int64."""
        self.lineage = self.lineage.gather(1, parents.unsqueeze(2).expand(-1, -1, self.lineage.shape[2]))

    def write(self, tokens: Tensor) -> Tensor:
        """Add one token to each of B branches, `[N, B, E]`; returns their vectors `[N, B, E]`."""
        users, branches, _ = tokens.shape
        own = torch.eye(branches, dtype=torch.bool, device=tokens.device).expand(users, -1, -1)
        before = self.lineage.expand(users, branches, -1)
        positions = (self.length + self.depth).unsqueeze(1).expand(-1, branches)
        visible = torch.cat([self.present.unsqueeze(1).expand(-1, branches, -1), before, own], dim=2)
        self.lineage, self.depth = torch.cat([before, own], dim=2), self.depth + 1
        written: Tensor = self.backbone(tokens, visible, positions, self.cache)
        return written

    def branches(self, tokens: Tensor) -> Tensor:
        """The vectors `[N, B, T, E]` of B whole branches of T tokens each, `[N, B, T, E]`, in one pass; none of them is kept."""
        users, branches, length, dim = tokens.shape
        if not length:
            return tokens
        prompt = self.present.unsqueeze(1).expand(-1, branches * length, -1)
        number = torch.arange(branches * length, device=tokens.device)
        own = (number.unsqueeze(1) // length == number // length) & (number <= number.unsqueeze(1))
        visible = torch.cat([prompt, own.expand(users, -1, -1)], dim=2)
        positions = self.length.unsqueeze(1) + number % length
        self.restart()
        hidden: Tensor = self.backbone(tokens.flatten(1, 2), visible, positions, self.cache)
        self.restart()
        return hidden.view(users, branches, length, dim)
