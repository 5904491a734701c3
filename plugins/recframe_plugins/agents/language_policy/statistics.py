"""What a language policy has written since it was last asked: items that may not be shown, entropy, use of the codes, tokens a second."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import PAD
from recframe_plugins.agents.language_policy.book import CodeBook


class WritingStatistics:
    """Sums on the device, which only `take` reads. Checkpoints have them, so that a resumed run logs what an uninterrupted one does.

    book: the codes that are written, which may become others when weights are loaded.
    tokens: that passed through the model since the last call, padding included.
    """

    def __init__(self, book: CodeBook) -> None:
        self.book = book
        self._reset()

    def _follow_book(self) -> None:
        if self.sizes != self.book.sizes[: self.book.levels]:
            self._reset()

    def _reset(self) -> None:
        self.sizes, device = self.book.sizes[: self.book.levels], self.book.codes.device
        self._uses = [torch.zeros(size, device=device) for size in self.sizes]
        self._written = torch.zeros(2, device=device)  # items, and those of them that may not be shown
        self._entropy = torch.zeros(2, device=device)  # number and sum
        self.tokens, self._since = 0, time.perf_counter()

    @torch.no_grad()
    def wrote(self, items: Tensor, may_be_shown: Tensor) -> None:
        """Items `[N, K]` were drawn, or found to be the most probable; `PAD`, where there was none left to write, does not count."""
        self._follow_book()
        there = items != PAD
        self._written += torch.stack([there.sum(), (there & ~may_be_shown).sum()])
        codes = self.book.of(items)
        for level, uses in enumerate(self._uses):
            uses.scatter_add_(0, codes[..., level].flatten(), there.flatten().to(uses.dtype))

    @torch.no_grad()
    def chose(self, entropy: Tensor) -> None:
        """The entropies of the choices of items, in a tensor of any shape."""
        self._entropy += torch.stack([torch.ones_like(entropy).sum(), entropy.sum()])

    def read(self, tokens: int) -> None:
        """So many tokens passed through the model, padding included."""
        self.tokens += tokens

    def take(self) -> dict[str, float]:
        """The means since the last call; those of items only if some were written."""
        self._follow_book()
        seconds, (items, invalid) = time.perf_counter() - self._since, self._written.tolist()
        choices, entropy = self._entropy.tolist()
        found = {"tokens_per_second": self.tokens / max(seconds, 1e-9), "length": float(len(self.sizes))}
        if choices:
            found["entropy"] = entropy / choices
        if items:
            found["invalid"] = invalid / items
            found |= {f"code_use/level_{level + 1}": code_perplexity(uses) for level, uses in enumerate(self._uses)}
        self._reset()
        return found

    def state_dict(self) -> dict[str, Any]:
        """The sums, without tokens and time."""
        return {"uses": list(self._uses), "written": self._written, "entropy": self._entropy}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; without any, as in checkpoints of earlier releases, counting begins.

        The codes that they belong to may come later: torch restores a module's state before that of the modules in it.
        """
        self._reset()
        if state:
            device = self._written.device
            self._uses = [uses.to(device, copy=True) for uses in state["uses"]]
            self.sizes = tuple(len(uses) for uses in self._uses)
            self._written, self._entropy = (state[name].to(device, copy=True) for name in ("written", "entropy"))


def code_perplexity(counts: Tensor) -> float:
    """The perplexity of a distribution given by counts `[n]`: the number of equally likely values that would be as uncertain."""
    shares = counts / counts.sum()
    return float(torch.special.entr(shares).sum().exp())
