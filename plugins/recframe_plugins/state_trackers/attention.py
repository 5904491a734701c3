"""The attention state tracker: self-attention over the history, causal (SASRec) or in both directions (BERT4Rec)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation
from recframe_plugins.state_trackers.config import AttentionConfig
from recframe_plugins.state_trackers.history import HistoryTracker

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class AttentionTracker(HistoryTracker):
    """SASRec (Kang & McAuley, ICDM 2018): a causal transformer over the history; its output at the newest entry, zero for an empty history.

    Layers are pre-norm (Xiong et al., 2020), and the output is normalized again; or post-norm, as in BERT, if `norm_first` is not set.
    Positions are learned and counted from the newest entry, or from the oldest one, so that padding in front has no effect. The last
    layer computes only the output of the newest entry, where no other is read.

    `bidirectional` (BERT4Rec; Sun et al., CIKM 2019): entries attend to later ones as well.

    Dropout is applied only when gradients are enabled, so that acting and target values are deterministic although agents act in training
    mode.
    """

    def __init__(self, config: AttentionConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.item_dim)
        self.dropout_in_updates = config.dropout
        self.reach = spec.history_length
        self.from_oldest = config.positions == "oldest"
        self.bidirectional = config.bidirectional
        self.positions = nn.Parameter(torch.empty(spec.history_length, config.item_dim, device=spec.device))
        nn.init.normal_(self.positions, std=config.item_dim**-0.5)
        self.layers = nn.ModuleList(AttentionLayer(config, spec.device) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.item_dim, device=spec.device) if config.norm_first else nn.Identity()

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The output `[N, d]` at the newest entry."""
        return self._outputs(entries[:, -len(self.positions) :], present[:, -len(self.positions) :], newest=1).squeeze(1)

    def summaries(self, entries: Tensor, present: Tensor) -> Tensor:
        """The outputs `[N, H, d]` at all entries, where none of them depends on later entries."""
        if self.from_oldest and not self.bidirectional and entries.shape[1] <= len(self.positions):
            return self._outputs(entries, present, newest=entries.shape[1])
        return super().summaries(entries, present)

    def states_in_context(self, observation: Observation, items: Tensor) -> Tensor:
        """The states at all places, each computed from all entries; see `StateTracker.states_in_context`.

        Raises
        ------
        NotImplementedError: the tracker is causal.
        ValueError: the history is longer than `state_tracker.history_length`.
        """
        if not self.bidirectional:
            return super().states_in_context(observation, items)
        entries, present = self.entries(observation, items)
        if entries.shape[1] > len(self.positions):
            raise ValueError(f"{entries.shape[1]} entries have no positions: state_tracker.history_length is {len(self.positions)}")
        return self.fusion.at_places(self._outputs(entries, present, newest=entries.shape[1]), observation)

    def _outputs(self, entries: Tensor, present: Tensor, newest: int) -> Tensor:
        """The outputs `[N, newest, d]` at the newest entries of `[N, H, d]`; zero where none is present."""
        places = torch.arange(present.shape[1], device=present.device)
        if self.from_oldest:
            positions = F.embedding((present.cumsum(dim=1) - 1).clamp(min=0), self.positions)
        else:
            positions = self.positions[-entries.shape[1] :]
        vectors = F.dropout(entries + positions, self.dropout)
        visible = torch.ones_like(places.unsqueeze(1) == places) if self.bidirectional else places <= places.unsqueeze(1)
        # padding sees itself, as a softmax over nothing would be NaN; no entry sees padding
        mask = (present.unsqueeze(1) & visible | (places == places.unsqueeze(1))).unsqueeze(1)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            vectors = layer(vectors, mask, newest if number == last else len(places), self.dropout)
        outputs: Tensor = self.norm(vectors)
        return outputs.masked_fill(~present[:, -newest:].unsqueeze(2), 0.0)


class AttentionLayer(nn.Module):
    """x + Attention(LayerNorm(x)), then x + FFN(LayerNorm(x)), with FFN(x) = Linear(activation(Linear(x))); vectors have length d.

    Post-norm: LayerNorm(x + Attention(x)), then LayerNorm(x + FFN(x)).
    """

    def __init__(self, config: AttentionConfig, device: torch.device) -> None:
        super().__init__()
        dim, inner = config.item_dim, config.feed_forward_dim or config.item_dim
        self.heads, self.norm_first, self.activation = config.heads, config.norm_first, ACTIVATIONS[config.activation]
        self.attention_norm, self.feed_forward_norm = (nn.LayerNorm(dim, device=device) for _ in range(2))
        sizes = [(dim, dim), (dim, dim), (dim, inner), (inner, dim)]
        self.query, self.output, self.first, self.second = (nn.Linear(size, other, device=device) for size, other in sizes)
        self.keys_and_values = nn.Linear(dim, 2 * dim, device=device)

    def forward(self, vectors: Tensor, mask: Tensor, newest: int, dropout: float) -> Tensor:
        """The output `[N, Q, d]` for the `newest` Q of `vectors` `[N, H, d]`; `mask` `[N, 1, H, H]` (query, key): visible keys."""
        if self.norm_first:
            result = vectors[:, -newest:] + self._attended(self.attention_norm(vectors), mask, newest, dropout)
            return result + self._fed_forward(self.feed_forward_norm(result), dropout)
        result = self.attention_norm(vectors[:, -newest:] + self._attended(vectors, mask, newest, dropout))
        normed: Tensor = self.feed_forward_norm(result + self._fed_forward(result, dropout))
        return normed

    def _attended(self, vectors: Tensor, mask: Tensor, newest: int, dropout: float) -> Tensor:
        query = self._by_head(self.query(vectors[:, -newest:]))
        keys, values = (self._by_head(part) for part in self.keys_and_values(vectors).chunk(2, dim=2))
        seen = F.scaled_dot_product_attention(query, keys, values, mask[:, :, -newest:], dropout_p=dropout)
        return F.dropout(self.output(seen.transpose(1, 2).flatten(start_dim=2)), dropout)

    def _fed_forward(self, vectors: Tensor, dropout: float) -> Tensor:
        return F.dropout(self.second(self.activation(self.first(vectors))), dropout)

    def _by_head(self, vectors: Tensor) -> Tensor:
        """Vectors `[N, H, d]` as `[N, heads, H, d / heads]`."""
        return torch.unflatten(vectors, 2, (self.heads, -1)).transpose(1, 2)
