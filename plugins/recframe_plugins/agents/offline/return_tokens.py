"""The causal transformer of the decision transformer, over tokens of returns, states and items."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation, StateTracker


class ReturnStateActionModel(nn.Module):
    """Queries of the next item at each place of a history, from returns, states and items up to it.

    Each place j of a history has three tokens of `width` numbers: the return still to come after it, the state of the history up to and
    with it, and the item taken after it, each with an embedding of the place's number among those that are there. `PAD` just before the
    first item is a place: the beginning of the sequence, whose state is that of an empty history. The query is a linear map of the
    transformer's output at the state's token, which sees the return and everything before, but not the item.
    """

    def __init__(self, state_tracker: StateTracker, length: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        device, dim = state_tracker.spec.device, state_tracker.item_dim
        self.heads = heads
        self.returns = nn.Linear(1, width, device=device)
        self.states = nn.Linear(state_tracker.state_dim, width, device=device)
        self.items = nn.Linear(dim, width, device=device)
        self.places = nn.Embedding(length, width, device=device)
        # no dropout: it would draw from the global generator
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True, device=device)
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width, device=device), enable_nested_tensor=False)
        self.query = nn.Linear(width, dim, device=device)

    def forward(self, observation: Observation, returns: Tensor, vectors: Tensor) -> Tensor:
        """Queries `[N, H, d]`, given standardized returns after each place, `[N, H]`, and item vectors `[M, d]`.

        The scale is that of attention.
        """
        history = observation.history_items
        size, length = history.shape
        present = present_places(history)
        number = (present.cumsum(dim=1) - 1).clamp(min=0)
        following = vectors[history.roll(-1, dims=1).clamp(min=0)]
        states = self.state_tracker.states(observation, vectors)
        tokens = torch.stack([self.returns(returns.unsqueeze(2)), self.states(states), self.items(following)], dim=2)
        tokens = tokens + self.places(number).unsqueeze(2)
        output = self.transformer(tokens.flatten(1, 2), mask=self._hidden(present.repeat_interleave(3, dim=1)))
        query: Tensor = self.query(output.view(size, length, 3, -1)[:, :, 1])
        scaled: Tensor = query / query.shape[2] ** 0.5
        return scaled

    def _hidden(self, present: Tensor) -> Tensor:
        """What each token must not see, `[N * heads, T, T]` bool: later tokens and padding. It sees itself, so that it sees something."""
        size = present.shape[1]
        seen = torch.ones(size, size, dtype=torch.bool, device=present.device).tril() & present.unsqueeze(1)
        seen |= torch.eye(size, dtype=torch.bool, device=present.device)
        return ~seen.repeat_interleave(self.heads, dim=0)


def present_places(history: Tensor) -> Tensor:
    """The places that are there, `[N, H]` bool: items, and the beginning before the first (in an empty history, the last place)."""
    items = history != PAD
    return items | F.pad(items[:, 1:], (0, 1), value=True)
