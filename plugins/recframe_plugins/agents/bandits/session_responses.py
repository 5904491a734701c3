"""Which items a user responded to in the session, and how, as features: what other people's responses say about the next item."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recframe.interfaces import PAD, EnvironmentSpec

# agents with different seeds have the same features
SEED = 0


class SessionResponses(nn.Module):
    """Features `[N, F R]` of N users: for each signal, the responses to the items of the history, each at its item's place.

    z_r = sum_j s_j [h(j) = r] (f_j - m) / sqrt(number of items in the history)

    f_j is the feedback on item j and m the mean of that signal so far, so an item that was not shown says nothing. h(j) and s_j are the
    item's place and sign: j and 1 if R >= M, and else random (the hashing trick; Weinberger et al., 2009, Section 2).
    """

    places: Tensor
    signs: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, spec: EnvironmentSpec, dims: int) -> None:
        super().__init__()
        items, signals = spec.num_items, len(spec.signals)
        self.dims = min(dims, items)
        generator = torch.Generator().manual_seed(SEED)
        if dims >= items:
            places, signs = torch.arange(items), torch.ones(items)
        else:
            # all places have the same number of items, or one more
            places = torch.randperm(items, generator=generator) % dims
            signs = torch.randint(0, 2, (items,), generator=generator) * 2.0 - 1.0
        self.register_buffer("places", places.to(spec.device))
        self.register_buffer("signs", signs.to(spec.device))
        self.register_buffer("total", torch.zeros(signals, dtype=torch.float64, device=spec.device))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64, device=spec.device))

    @property
    def size(self) -> int:
        """Number of features of a user, F R."""
        return len(self.total) * self.dims

    def learn(self, history: Tensor, feedback: Tensor) -> None:
        """Add histories `[N, H]` with feedback `[N, H, F]`, 0 at `PAD`, to the mean of each signal."""
        self.total += feedback.double().sum(dim=(0, 1))
        self.count += (history != PAD).sum()

    def forward(self, history: Tensor, feedback: Tensor) -> Tensor:
        """The features `[N, F R]` of histories `[N, H]` with feedback `[N, H, F]`."""
        shown = (history != PAD).to(feedback.dtype)
        mean = (self.total / self.count.clamp(min=1.0)).to(feedback.dtype)
        count = shown.sum(dim=1).clamp(min=1.0)
        signs = shown * self.signs[history] / count.sqrt().unsqueeze(1)
        values = (feedback - mean) * signs.unsqueeze(2)
        places = self.places[history].unsqueeze(2).expand_as(values)
        sums = values.new_zeros(len(history), self.dims, values.shape[2]).scatter_add(1, places, values)
        return sums.transpose(1, 2).flatten(start_dim=1)
