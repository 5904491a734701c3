"""The items of highest predicted immediate reward: the strongest reference policy that does not plan.

The expected reward is bilinear in features of the user and of the item (see `recframe.references.bilinear`). The policy reads what an agent
can observe, too: histories, feedback and texts, never the environment's truth. It is fitted to the reward of one turn, so it is myopic:
its score leaves out what an item does to the rest of the session, and where some items make people leave, it loses its users.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Data, EnvironmentSpec, Observation, Texts, best_items, covariance_matrix, principal_components
from recframe.references.bilinear import add_to_history, user_features

TEXT_DIMS = 16


class TextComponents:
    """Maps text vectors to the first few principal components of the catalogue's; the coordinates have an average variance of one."""

    def __init__(self, vectors: Tensor, dims: int = TEXT_DIMS) -> None:
        self.dims = min(dims, vectors.shape[1])
        self.mean = vectors.mean(dim=0, dtype=torch.float64)
        components = principal_components(covariance_matrix(vectors, self.mean)).leading(self.dims)
        self.axes = components.rescaled().axes.to(vectors)
        self.mean = self.mean.to(vectors)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Coordinates `[n + 1, dims]` of text vectors `[n, D]`. The last row is of zeros, and `PAD` (-1) indexes it."""
        return torch.cat([(vectors - self.mean) @ self.axes, vectors.new_zeros(1, self.dims)])


class UserFeatures:
    """Features `[N, P]` of users: those of `user_features`, and, if they exist, the texts of profile and context, and raw features."""

    def __init__(self, spec: EnvironmentSpec, data: Data, components: TextComponents, item_texts: Tensor) -> None:
        def rows(texts: Texts | None) -> Tensor | None:
            return None if texts is None or texts.vectors is None else components(texts.vectors)

        self.item_texts = item_texts
        self.profiles = rows(data.users.profiles) if data.users is not None and spec.has_users else None
        self.contexts = rows(data.contexts) if spec.has_context else None

    def __call__(self, observation: Observation) -> Tensor:
        """The features `[N, P]` float32."""
        others = []
        if self.profiles is not None:
            others.append(self.profiles[observation.user])
        if self.contexts is not None and observation.context is not None:
            others.append(self.contexts[observation.context])
        if observation.features is not None:
            others.append(observation.features)
        return user_features(observation, observation.history_feedback, self.item_texts[observation.history_items], others)


class GreedyPolicy:
    """Shows the items of highest predicted reward.

    user_features: gives `[N, P]`.    user_weights: `[P, Q]`.    item_features: `[M + 1, Q]`, the last row of zeros.
    shown_weight: scalar, added to the score of an item that is in the observed history.
    """

    def __init__(
        self, slate_size: int, user_features: UserFeatures, user_weights: Tensor, item_features: Tensor, shown_weight: Tensor
    ) -> None:
        self.slate_size = slate_size
        self.user_features = user_features
        self.user_weights = user_weights
        self.item_features = item_features
        self.shown_weight = shown_weight

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slates `[N, K]` of highest predicted reward."""
        return best_items(observation, self.predict(observation), self.slate_size)

    def predict(self, observation: Observation) -> Tensor:
        """Predicted reward of every item, up to a constant, `[N, M]`."""
        scores = (self.user_features(observation) @ self.user_weights) @ self.item_features.T
        return add_to_history(scores, observation.history_items, self.shown_weight)
