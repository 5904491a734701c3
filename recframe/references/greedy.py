"""Greedy on immediate reward: the strongest recommender that does not plan, fitted on what an agent could observe too.

The expected reward of an item is bilinear in features of the user and of the item, plus a coefficient for having been
shown lately (compare the bilinear bandits of Chu & Park 2009), fitted in closed form by ridge regression on a log of random
recommendations. It reads histories, feedback and texts, never the environment's truth; and as it is fitted to the
reward of one turn, it is myopic: what an item does to the rest of the session is not in its score.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import (
    PAD,
    Data,
    EnvironmentSpec,
    Observation,
    Texts,
    best_items,
    covariance_matrix,
    principal_components,
)
from recframe.references.random_log import RandomLog, mean_item_rewards

TEXT_DIMS = 16
# each row costs the square of about a thousand coefficients: more rows cost minutes and teach little
MAX_ROWS = 30_000
CHUNK_ROWS = 2_048
# ridge strengths tried, per row
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class TextComponents:
    """Maps text vectors to the first few principal components of the catalogue's; the coordinates have an average variance of one."""

    def __init__(self, vectors: Tensor, dims: int = TEXT_DIMS) -> None:
        self.dims = min(dims, vectors.shape[1])
        self.mean = vectors.mean(dim=0, dtype=torch.float64)
        components = principal_components(covariance_matrix(vectors, self.mean)).leading(self.dims)
        self.axes = components.rescaled().axes.to(vectors)
        self.mean = self.mean.to(vectors)

    def __call__(self, vectors: Tensor) -> Tensor:
        """`[n, D]` text vectors as `[n, dims]`, and one row of zeros more, which PAD (-1) finds."""
        return torch.cat([(vectors - self.mean) @ self.axes, vectors.new_zeros(1, self.dims)])


class UserFeatures:
    """What an agent may know of a user, as P numbers.

    A constant; the share of the history that is filled; mean feedback per signal; the mean text of the history, plain and weighted by each
    signal; and, where there are such, profile text, context text and raw features.
    """

    def __init__(self, spec: EnvironmentSpec, data: Data, components: TextComponents, item_texts: Tensor) -> None:
        def rows(texts: Texts | None) -> Tensor | None:
            return None if texts is None or texts.vectors is None else components(texts.vectors)

        self.item_texts = item_texts
        self.profiles = rows(data.users.profiles) if data.users is not None and spec.has_users else None
        self.contexts = rows(data.contexts) if spec.has_context else None

    def __call__(self, observation: Observation) -> Tensor:
        """The features `[N, P]` float32."""
        shown = (observation.history_items != PAD).float()
        count = shown.sum(dim=1, keepdim=True).clamp(min=1.0)
        texts = self.item_texts[observation.history_items]
        feedback = observation.history_feedback
        weights = torch.cat([shown[:, :, None], feedback], dim=2)
        means = torch.einsum("nhw,nhd->nwd", weights, texts) / count[:, :, None]
        parts = [torch.ones_like(count), shown.mean(dim=1, keepdim=True), feedback.sum(dim=1) / count, means.flatten(start_dim=1)]
        if self.profiles is not None:
            parts.append(self.profiles[observation.user])
        if self.contexts is not None and observation.context is not None:
            parts.append(self.contexts[observation.context])
        if observation.features is not None:
            parts.append(observation.features)
        return torch.cat(parts, dim=1)


class GreedyPolicy:
    """Shows the items of highest predicted reward.

    user_features: gives `[N, P]`.    user_weights: `[P, Q]`.    item_features: `[M + 1, Q]`, the last row of zeros.
    shown_weight: scalar, added to the score of an item that the observed history holds.
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
        # the column more than there are items takes the PADs
        history = observation.history_items % scores.shape[1]
        # set, not add: an item that was shown twice is shown lately once
        return scores.scatter(1, history, scores.gather(1, history) + self.shown_weight)[:, :-1]


def fit_greedy(log: RandomLog, spec: EnvironmentSpec, data: Data, seed: int) -> GreedyPolicy:
    """Fit on a random log. Item features (Q): a constant, text, mean observed reward, log popularity.

    Users are split in two folds. An item's mean reward, for the rows of one fold, is taken from the other: a row must not
    be predicted from itself. The ridge strength is the one that predicts each fold best from the other; the final fit is on both.

    Raises
    ------
    ValueError: the catalogue has no text vectors.
    """
    catalog = data.catalog
    if catalog.text_vectors is None:
        raise ValueError("the greedy reference policy needs a catalogue with text vectors")
    components = TextComponents(catalog.text_vectors)
    item_texts = components(catalog.text_vectors)
    user_features = UserFeatures(spec, data, components, item_texts)

    popularity = catalog.popularity.double().clamp(min=0.0)
    log_popularity = _standardized(torch.log1p(popularity / popularity.mean().clamp(min=1e-12)))
    overall = mean_item_rewards(log.slates, log.item_rewards, spec.num_items)

    def item_features(means: Tensor) -> Tensor:
        columns = [torch.ones_like(means), *item_texts[:-1].double().unbind(1), (means - overall.mean()) / _spread(overall), log_popularity]
        return torch.stack(columns, dim=1)

    generator = torch.Generator(spec.device).manual_seed(seed)
    folds = log.users % 2
    order = torch.randperm(len(folds), generator=generator, device=folds.device)[: max(1, MAX_ROWS // spec.slate_size)]
    sampled = user_features(log.observations[order])
    # per column, so that dwell in seconds and clicks in zeros and ones are shrunk alike
    scale = sampled.double().pow(2).mean(dim=0).sqrt().clamp(min=1e-6)
    target_mean = log.item_rewards.mean()
    moments = []
    for fold in (0, 1):
        others = folds != fold
        means = mean_item_rewards(log.slates[others], log.item_rewards[others], spec.num_items) if others.any() else overall
        rows = order[folds[order] == fold]
        users = user_features(log.observations[rows]).double() / scale
        moments.append(_moments(log, rows, users, item_features(means), target_mean))
    coefficients = _ridge(moments)
    weights = coefficients[:-1].view(len(scale), -1) / scale[:, None]
    features = torch.cat([item_features(overall), torch.zeros(1, weights.shape[1], dtype=torch.float64, device=spec.device)])
    return GreedyPolicy(spec.slate_size, user_features, weights.float(), features.float(), coefficients[-1].float())


Moments = tuple[Tensor, Tensor, Tensor, int]
"""The normal equations' `X'X`, `X'y`, `y'y`, and the number of rows."""


def _moments(log: RandomLog, rows: Tensor, users: Tensor, item_features: Tensor, target_mean: Tensor) -> Moments:
    """Accumulate the normal equations over the items of the log's `rows`, whose user features `[n, P]` are `users`, in float64."""
    size = users.shape[1] * item_features.shape[1] + 1
    gram, cross = users.new_zeros(size, size), users.new_zeros(size)
    square, count = users.new_zeros(()), 0
    slates, rewards, history = log.slates[rows], log.item_rewards[rows], log.observations.history_items[rows]
    for start in range(0, len(rows), max(1, CHUNK_ROWS // slates.shape[1])):
        chunk = slice(start, start + max(1, CHUNK_ROWS // slates.shape[1]))
        shown = (slates[chunk, :, None] == history[chunk, None, :]).any(dim=2)
        bilinear = torch.einsum("np,nkq->nkpq", users[chunk], item_features[slates[chunk]]).flatten(start_dim=2)
        design = torch.cat([bilinear, shown[..., None].double()], dim=2).flatten(end_dim=1)
        target = (rewards[chunk] - target_mean).double().flatten()
        gram += design.T @ design
        cross += design.T @ target
        square += target.square().sum()
        count += len(target)
    return gram, cross, square, count


def _ridge(folds: list[Moments]) -> Tensor:
    """Ridge coefficients on all folds, with the strength of least cross-validated squared error.

    The error of coefficients b on a fold is `y'y - 2 b'X'y + b'X'X b`: no second pass over the data.
    """

    def solve(moments: list[Moments], penalty: float) -> Tensor:
        gram = sum(m[0] for m in moments)
        cross = sum(m[1] for m in moments)
        ridge = torch.full_like(cross, penalty * max(1, sum(m[3] for m in moments)))
        # having been shown is rare in a log and weighs much: shrunk like the rest it would be lost
        ridge[-1] = 1.0
        return torch.cholesky_solve(cross[:, None], torch.linalg.cholesky(gram + ridge.diag()))[:, 0]

    def error(penalty: float) -> float:
        total = 0.0
        for held_out, (gram, cross, square, _) in enumerate(folds):
            b = solve([m for i, m in enumerate(folds) if i != held_out], penalty)
            total += float(square - 2 * b @ cross + b @ gram @ b)
        return total

    return solve(folds, min(PENALTIES, key=error))


def _spread(values: Tensor) -> Tensor:
    return values.std(correction=0).clamp(min=1e-9)


def _standardized(values: Tensor) -> Tensor:
    return (values - values.mean()) / _spread(values)
