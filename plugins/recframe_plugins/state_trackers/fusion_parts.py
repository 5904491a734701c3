"""Inputs of a fusion in addition to the history, as vectors: profile, context, labels, features and user.

A new input is a subclass of `Part` and a line in `parts_of`; every fusion then reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, FrozenTable, Observation, Texts, TextTable, standardized, symlog
from recframe_plugins.state_trackers.config import StateTrackerConfig

LEAST_PROBABILITY = 1e-3
"""Lower bound of label probabilities: smaller ones carry no more information, and their logarithms would dominate the others."""


class Part(nn.Module, ABC):
    """One vector per user, of length `dim`."""

    dim: int

    @abstractmethod
    def forward(self, observation: Observation) -> Tensor:
        """The vectors `[N, dim]`."""


class TextPart(Part):
    """ReLU(Linear(text vector)) of the text whose row is in the observation's `field`."""

    def __init__(self, vectors: Tensor, dim: int, field: Literal["user", "context"]) -> None:
        super().__init__()
        self.texts = TextTable(vectors)
        self.linear = nn.Linear(vectors.shape[1], dim, device=vectors.device)
        self.dim, self.field = dim, field

    def forward(self, observation: Observation) -> Tensor:
        """Projections `[N, dim]`."""
        return F.relu(self.linear(self.texts.values[getattr(observation, self.field)]))


class LabelPart(Part):
    """ReLU(Linear(log-probabilities)) of all labels of the text whose row is in the observation's `field`, standardized.

    The text vector contains the information about labels too, but with labels the network need not learn to extract it.
    """

    def __init__(self, texts: Texts, dim: int, field: Literal["user", "context"]) -> None:
        super().__init__()
        probabilities = torch.cat([labels.probabilities for labels in texts.labels.values()], dim=1)
        self.evidence = FrozenTable(standardized(probabilities.clamp(min=LEAST_PROBABILITY).log()))
        self.linear = nn.Linear(probabilities.shape[1], dim, device=probabilities.device)
        self.dim, self.field = dim, field

    def forward(self, observation: Observation) -> Tensor:
        """Projections `[N, dim]`."""
        return F.relu(self.linear(self.evidence.values[getattr(observation, self.field)]))


class FeaturePart(Part):
    """symlog(features)."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.dim = num_features

    def forward(self, observation: Observation) -> Tensor:
        """Features `[N, X]` after `symlog`."""
        assert observation.features is not None
        return symlog(observation.features)


class UserPart(Part):
    """A learned vector per user. It starts at zero, and stays zero for users who do not appear in training."""

    def __init__(self, num_users: int, dim: int, device: torch.device) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(num_users, dim, device=device))
        self.dim = dim

    def forward(self, observation: Observation) -> Tensor:
        """Vectors `[N, dim]`."""
        return F.embedding(observation.user, self.embedding)


def parts_of(config: StateTrackerConfig, spec: EnvironmentSpec, data: Data) -> dict[str, Part]:
    """All available parts by name, in the order in which they are combined; empty if only the history exists.

    Raises
    ------
    ValueError: `user_embeddings` is set, but observations do not identify users.
    """
    users = data.users if spec.has_users else None
    profiles = read_vectors(users.profiles) if users is not None and "profile" in config.reads else None
    contexts = read_vectors(data.contexts) if spec.has_context and "context" in config.reads else None
    parts: dict[str, Part] = {}
    # parts are created in the order in which their weights are drawn: new parts come last
    if profiles is not None:
        parts["profile"] = TextPart(profiles, config.state_dim, "user")
    if contexts is not None:
        parts["context"] = TextPart(contexts, config.state_dim, "context")
    if spec.num_features:
        parts["features"] = FeaturePart(spec.num_features)
    if config.user_embeddings:
        if users is None:
            raise ValueError(
                "state_tracker.user_embeddings needs users that are in the data, but this environment does not identify its users"
            )
        parts["user"] = UserPart(len(users), config.state_dim, spec.device)
    if "labels" in config.reads:
        if spec.has_context and data.contexts is not None and data.contexts.labels:
            parts["context_labels"] = LabelPart(data.contexts, config.state_dim, "context")
        if users is not None and users.profiles is not None and users.profiles.labels:
            parts["profile_labels"] = LabelPart(users.profiles, config.state_dim, "user")
    return parts


def read_vectors(texts: Texts | None) -> Tensor | None:
    """The vectors of the texts, or None; vectors of length 0 come from an encoder that does not read texts and count as None."""
    return None if texts is None or texts.vectors is None or not texts.vectors.shape[1] else texts.vectors
