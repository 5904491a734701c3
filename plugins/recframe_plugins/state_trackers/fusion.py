"""The last layer of every built-in tracker that reads histories: the history's summary, joined with whatever else is known of the visit."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.fusion_parts import parts_of


class Fusion(nn.Module, ABC):
    """state = ReLU(LayerNorm(mixed)), where `mixed` is made of the history's summary and the `parts`, P vectors in all.

    Parameters
    ----------
    summary_dim: length of the summary.
    parts: what else there is, by name; may be empty.
    """

    def __init__(self, summary_dim: int, state_dim: int, parts: nn.ModuleDict, device: torch.device) -> None:
        super().__init__()
        self.parts = parts
        self.build([summary_dim, *(part.dim for part in parts.values())], state_dim, device)
        self.norm = nn.LayerNorm(state_dim, device=device)

    @abstractmethod
    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """Make the layers for a summary and parts of lengths `dims`."""

    @abstractmethod
    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """One vector `[N, S]` of each user's summary and parts, P tensors `[N, dims[p]]`."""

    def forward(self, summary: Tensor, observation: Observation) -> Tensor:
        """The state `[N, S]`, given the history's summary `[N, summary_dim]`."""
        return F.relu(self.norm(self.mixed([summary, *(part(observation) for part in self.parts.values())])))


class ConcatFusion(Fusion):
    """mixed = Linear([summary | profile | context | ...])."""

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """One map of all."""
        self.mix = nn.Linear(sum(dims), state_dim, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """A linear map of all vectors."""
        result: Tensor = self.mix(torch.cat(vectors, dim=-1))
        return result


class GatedFusion(Fusion):
    """mixed = sum over p of z_p * tanh(W_p x_p + b_p), z_p = sigmoid(V_p [x_1 | ... | x_P] + c_p): all parts decide what each counts.

    A gated multimodal unit (Arevalo et al., 2017), of any number of modalities and with biases.
    """

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """A map of each part, and one of all to the gates."""
        self.contents = nn.ModuleList(nn.Linear(dim, state_dim, device=device) for dim in dims)
        self.gates = nn.Linear(sum(dims), len(dims) * state_dim, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """The gated sum."""
        contents = torch.stack([content(vector) for content, vector in zip(self.contents, vectors, strict=True)], dim=1).tanh()
        gates: Tensor = self.gates(torch.cat(vectors, dim=-1)).view_as(contents).sigmoid()
        return (gates * contents).sum(dim=1)


class AttentionFusion(Fusion):
    """mixed = sum over p of a_p t_p, with a token t_p = W_p x_p + b_p of each part and a = softmax over p of q . (K t_p) / sqrt(S).

    The query q is a linear map of the history's summary (and so a learned vector where the history is empty): what was seen so far decides
    where to look. Scaled dot-product attention (Vaswani et al., 2017, equation 1) with one query; the summary is a token, too.
    """

    def build(self, dims: list[int], state_dim: int, device: torch.device) -> None:
        """A map of each part to its token, and those of query and keys."""
        self.tokens = nn.ModuleList(nn.Linear(dim, state_dim, device=device) for dim in dims)
        self.query = nn.Linear(dims[0], state_dim, device=device)
        self.key = nn.Linear(state_dim, state_dim, bias=False, device=device)

    def mixed(self, vectors: list[Tensor]) -> Tensor:
        """The attended sum."""
        tokens = torch.stack([token(vector) for token, vector in zip(self.tokens, vectors, strict=True)], dim=1)
        query = self.query(vectors[0]).unsqueeze(1)
        scores = (query * self.key(tokens)).sum(dim=2, keepdim=True) / tokens.shape[2] ** 0.5
        return (scores.softmax(dim=1) * tokens).sum(dim=1)


FUSIONS: dict[str, type[Fusion]] = {"concat": ConcatFusion, "gated": GatedFusion, "attention": AttentionFusion}


def fusion_of(config: StateTrackerConfig, spec: EnvironmentSpec, data: Data, summary_dim: int) -> Fusion:
    """The fusion that the config names, of all that spec and data say there is."""
    return FUSIONS[config.fusion](summary_dim, config.state_dim, parts_of(config, spec, data), spec.device)
