"""The attention state tracker: causal self-attention over the history (SASRec)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import AttentionConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class AttentionTracker(HistoryTracker):
    """SASRec (Kang & McAuley, ICDM 2018): a causal transformer over the history; its output at the newest entry, zero for an empty history.

    Layers are pre-norm (Xiong et al., 2020), and the output is normalized again. Positions are learned and counted from the newest entry,
    so that padding in front has no effect. The last layer computes only the output of the newest entry, as no other is read.

    Dropout is applied only when gradients are enabled, so that acting and target values are deterministic although agents act in training
    mode.
    """

    def __init__(self, config: AttentionConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.item_dim)
        self.dropout_in_updates = config.dropout
        self.positions = nn.Parameter(torch.empty(spec.history_length, config.item_dim, device=spec.device))
        nn.init.normal_(self.positions, std=config.item_dim**-0.5)
        self.layers = nn.ModuleList(AttentionLayer(config.item_dim, config.heads, spec.device) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.item_dim, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The output `[N, d]` at the newest entry."""
        length = len(self.positions)
        entries, present = entries[:, -length:], present[:, -length:]
        dropout = self.dropout_in_updates if self.training and torch.is_grad_enabled() else 0.0
        vectors = F.dropout(entries + self.positions[-entries.shape[1] :], dropout)
        places = torch.arange(present.shape[1], device=present.device)
        # padding sees itself, as a softmax over nothing would be NaN; no entry sees padding
        mask = (present.unsqueeze(1) & (places <= places.unsqueeze(1)) | (places == places.unsqueeze(1))).unsqueeze(1)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            vectors = layer(vectors, mask, 1 if number == last else len(places), dropout)
        summary: Tensor = self.norm(vectors[:, -1])
        return summary.masked_fill(~present[:, -1:], 0.0)


class AttentionLayer(nn.Module):
    """x + Attention(LayerNorm(x)), then x + FFN(LayerNorm(x)), with FFN(x) = Linear(ReLU(Linear(x))); all vectors have length d."""

    def __init__(self, dim: int, heads: int, device: torch.device) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_forward_norm = (nn.LayerNorm(dim, device=device) for _ in range(2))
        self.query, self.output, self.first, self.second = (nn.Linear(dim, dim, device=device) for _ in range(4))
        self.keys_and_values = nn.Linear(dim, 2 * dim, device=device)

    def forward(self, vectors: Tensor, mask: Tensor, newest: int, dropout: float) -> Tensor:
        """The output `[N, Q, d]` for the `newest` Q of `vectors` `[N, H, d]`; `mask` `[N, 1, H, H]` (query, key): visible keys."""
        normed = self.attention_norm(vectors)
        query = self._by_head(self.query(normed[:, -newest:]))
        keys, values = (self._by_head(part) for part in self.keys_and_values(normed).chunk(2, dim=2))
        seen = F.scaled_dot_product_attention(query, keys, values, mask[:, :, -newest:], dropout_p=dropout)
        result = vectors[:, -newest:] + F.dropout(self.output(seen.transpose(1, 2).flatten(start_dim=2)), dropout)
        inner = F.relu(self.first(self.feed_forward_norm(result)))
        return result + F.dropout(self.second(inner), dropout)

    def _by_head(self, vectors: Tensor) -> Tensor:
        """Vectors `[N, H, d]` as `[N, heads, H, d / heads]`."""
        return torch.unflatten(vectors, 2, (self.heads, -1)).transpose(1, 2)
