"""Fusions, the last layer of the built-in trackers: they combine the summary of the history with the other inputs to a state."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.fusion_parts import Part, parts_of


class Fusion(nn.Module, ABC):
    """state = ReLU(LayerNorm(mixed)), where `mixed` combines the summary of the history and the `parts`, P vectors in total.

    Parameters
    ----------
    summary_dim: length of the summary.
    parts: the other inputs, by name; may be empty.
    """

    def __init__(self, summary_dim: int, state_dim: int, parts: dict[str, Part], device: torch.device) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.build([summary_dim, *(part.dim for part in parts.values())], state_dim, device)
        self.norm = nn.LayerNorm(state_dim, device=device)

    @abstractmethod
    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """Create the layers for a summary and parts of lengths `dims`."""

    @abstractmethod
    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """The combination `[N, S]` of the summary and the parts, P tensors `[N, dims[p]]`."""

    def forward(self, summary: Tensor, observation: Observation) -> Tensor:
        """The state `[N, S]`, given the history's summary `[N, summary_dim]`."""
        return self.state([summary, *(part(observation) for part in self.parts.values())])

    def at_places(self, summaries: Tensor, observation: Observation) -> Tensor:
        """The states `[N, H, S]`, given the summaries `[N, H, summary_dim]` at H places; the parts are the same at all of them."""
        length = summaries.shape[1]
        parts = [part(observation).repeat_interleave(length, dim=0) for part in self.parts.values()]
        states: Tensor = self.state([summaries.flatten(0, 1), *parts]).unflatten(0, (-1, length))
        return states

    def state(self, vectors: list[Tensor]) -> Tensor:
        """The states `[N, S]` of the summary and the parts, P tensors `[N, dims[p]]`."""
        return F.relu(self.norm(self.mixed(vectors)))


class ConcatFusion(Fusion):
    """mixed = Linear([summary | profile | context | ...])."""

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """Create one linear map of all vectors."""
        self.mix = nn.Linear(sum(dims), state_dim, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """A linear map of all vectors."""
        result: Tensor = self.mix(torch.cat(vectors, dim=-1))
        return result


class GatedFusion(Fusion):
    """mixed = sum over p of z_p * tanh(W_p x_p + b_p), z_p = sigmoid(V_p [x_1 | ... | x_P] + c_p).

    A gated multimodal unit (Arevalo et al., 2017) with any number of modalities and with biases: all parts determine the gate of each.
    """

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """Create a linear map of each part, and one of all parts to the gates."""
        self.contents = nn.ModuleList(nn.Linear(dim, state_dim, device=device) for dim in dims)
        self.gates = nn.Linear(sum(dims), len(dims) * state_dim, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """The gated sum."""
        contents = torch.stack([content(vector) for content, vector in zip(self.contents, vectors, strict=True)], dim=1).tanh()
        gates: Tensor = self.gates(torch.cat(vectors, dim=-1)).view_as(contents).sigmoid()
        return (gates * contents).sum(dim=1)


class AttentionFusion(Fusion):
    """mixed = sum over p of a_p t_p, with a token t_p = W_p x_p + b_p of each part and a = softmax over p of q . (K t_p) / sqrt(S).

    The query q is a linear map of the summary of the history (so a learned vector if the history is empty). This is scaled dot-product
    attention (Vaswani et al., 2017, equation 1) with one query; the summary is also a token.
    """

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """Create a linear map of each part to its token, and the maps of query and keys."""
        self.tokens = nn.ModuleList(nn.Linear(dim, state_dim, device=device) for dim in dims)
        self.query = nn.Linear(dims[0], state_dim, device=device)
        self.key = nn.Linear(state_dim, state_dim, bias=False, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """The attended sum."""
        tokens = torch.stack([token(vector) for token, vector in zip(self.tokens, vectors, strict=True)], dim=1)
        query = self.query(vectors[0]).unsqueeze(1)
        scores = (query * self.key(tokens)).sum(dim=2, keepdim=True) / tokens.shape[2] ** 0.5
        attended: Tensor = (scores.softmax(dim=1) * tokens).sum(dim=1)
        return attended


FUSIONS: dict[str, type[Fusion]] = {"concat": ConcatFusion, "gated": GatedFusion, "attention": AttentionFusion}


def fusion_of(config: StateTrackerConfig, spec: EnvironmentSpec, data: Data, summary_dim: int) -> Fusion:
    """The fusion that the config names, of all inputs that spec and data provide."""
    return FUSIONS[config.fusion](summary_dim, config.state_dim, parts_of(config, spec, data), spec.device)
