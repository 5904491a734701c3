"""Features of users and items from which the bandits predict rewards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import (
    EnvironmentSpec,
    Observation,
    StateTracker,
    Texts,
    TextTable,
    principal_components,
    shown_places,
    symlog,
)
from recframe.references.bilinear import bilinear_features, user_features
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.session_responses import SessionResponses

ROWS = 2_048
"""Number of shown items whose features are held at once."""


class RewardFeatures(nn.Module):
    """Features x_u `[P]` of users and y_i `[Q]` of items, both scaled to a norm of about one.

    x: the features of `user_features`, and, if they exist, profile, context and raw features, and `SessionResponses`.
    y: a constant, text, log-popularity.
    """

    axes: Tensor

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__()
        self.first_question = spec.first_question if spec.num_questions else None
        data = state_tracker.data
        self.texts = state_tracker.item_projection.texts
        self.profiles = _table(data.users.profiles if data.users is not None and spec.has_users else None)
        self.contexts = _table(data.contexts if spec.has_context else None)
        popularity = data.catalog.popularity.clamp(min=0).log1p().unsqueeze(1)
        # standardized like texts, so that further items leave the features of the known ones as they were
        self.log_popularity = TextTable(popularity)
        # saved, because the sign of an eigenvector may differ between machines
        self.register_buffer("axes", text_axes(self.texts.values, config.text_dims))
        dims, signals = self.axes.shape[1], len(spec.signals)
        texts = 1 + signals + (self.profiles is not None) + (self.contexts is not None)
        self.base_size = 2 + signals + texts * dims + spec.num_features
        self.responses = SessionResponses(spec, config.response_dims) if config.response_dims else None
        self.user_size = self.base_size + (self.responses.size if self.responses is not None else 0)
        self.item_size = 2 + dims

    def items(self) -> Tensor:
        """y of all items `[M + 1, Q]`. The last row is of zeros, and `PAD` (-1) indexes it."""
        texts = self.texts.values @ self.axes
        features = torch.cat([torch.ones_like(self.log_popularity.values), texts, self.log_popularity.values], dim=1)
        return F.pad(features / self.item_size**0.5, (0, 0, 0, 1))

    def users(self, observation: Observation, items: Tensor) -> Tensor:
        """x of each user `[N, P]`, given y of all items."""
        # the text's part of y, on the texts' own scale
        texts = items[observation.history_items, 1:-1] * self.item_size**0.5
        others = []
        if self.profiles is not None:
            others.append(self.profiles.values[observation.user] @ self.axes)
        if self.contexts is not None:
            others.append(self.contexts.values[observation.context] @ self.axes)
        if observation.features is not None:
            others.append(symlog(observation.features))
        features: Tensor = user_features(observation, symlog(observation.history_feedback), texts, others) / self.base_size**0.5
        if self.responses is None:
            return features
        return torch.cat([features, self.responses(observation.history_items, symlog(observation.history_feedback))], dim=1)

    def observe(self, observation: Observation) -> None:
        """Learn what a user's features need: the mean of each feedback signal."""
        if self.responses is not None:
            self.responses.learn(observation.history_items, symlog(observation.history_feedback))

    def learned(self, features: Tensor, slate: Tensor) -> Tensor:
        """The `features` `[N, K, n]` of slates `[N, K]`, with zeros, which change no sums, at places that tell nothing of the reward."""
        return features if self.first_question is None else features * learned_places(slate, self.first_question).unsqueeze(2)

    def features(self, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """phi `[N, K, n]` of the items numbered `chosen` `[N, K]`, n = P Q + 1."""
        return bilinear_features(self.users(observation, items), items, chosen, observation.history_items)


def learned_places(slate: Tensor, first_question: int) -> Tensor:
    """At which places of the slates `[..., K]` something is learned, bool: where an item is shown, and at a question that is asked.

    A place that nobody saw has a reward of 0, which says nothing of its item.
    """
    places = shown_places(slate, first_question)
    # an item that is shown, or the question that is asked
    places[..., 0] = True
    return places


def text_axes(vectors: Tensor, dims: int) -> Tensor:
    """The axes `[D, d]` on which standardized `vectors` `[M, D]` spread most, scaled: the coordinates have an average variance of one."""
    components = principal_components((vectors.T @ vectors).double() / len(vectors)).leading(dims)
    return components.rescaled().axes.to(vectors.dtype).contiguous()


def _table(texts: Texts | None) -> TextTable | None:
    return None if texts is None or texts.vectors is None else TextTable(texts.vectors)
