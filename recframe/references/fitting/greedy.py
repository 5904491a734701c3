"""Fits the greedy reference policy to a random log, in closed form by ridge regression."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Data, EnvironmentSpec
from recframe.references.bilinear import bilinear_features
from recframe.references.fitting.random_log import RandomLog
from recframe.references.greedy import GreedyPolicy, TextComponents, UserFeatures
from recframe.references.item_means import mean_item_rewards

# each row costs the square of about a thousand coefficients: more rows take minutes and improve little
MAX_ROWS = 30_000
CHUNK_ROWS = 2_048
# ridge strengths tried, per row
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def fit_greedy(log: RandomLog, spec: EnvironmentSpec, data: Data, seed: int) -> GreedyPolicy:
    """Fit on a random log. Item features (Q): a constant, text, mean observed reward, log popularity.

    Users are split in two folds. The rows of one fold use the items' mean rewards in the other fold, because a row must not be
    predicted from itself. The ridge strength is the one that predicts each fold best from the other; the final fit uses both folds.

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
    # per column, so that dwell in seconds and clicks of 0 or 1 are shrunk alike
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


class Moments(NamedTuple):
    """The normal equations of some rows: `X'X` `[n, n]`, `X'y` `[n]`, `y'y` (a scalar), and the number of rows."""

    gram: Tensor
    cross: Tensor
    square: Tensor
    num_rows: int


def _moments(log: RandomLog, rows: Tensor, users: Tensor, item_features: Tensor, target_mean: Tensor) -> Moments:
    """The normal equations of all items in the log's `rows` `[n]`, in float64. `users` `[n, P]` are the features of the rows' users."""
    size = users.shape[1] * item_features.shape[1] + 1
    gram, cross = users.new_zeros(size, size), users.new_zeros(size)
    square, num_rows = users.new_zeros(()), 0
    slates, rewards, history = log.slates[rows], log.item_rewards[rows], log.observations.history_items[rows]
    for start in range(0, len(rows), max(1, CHUNK_ROWS // slates.shape[1])):
        chunk = slice(start, start + max(1, CHUNK_ROWS // slates.shape[1]))
        design = bilinear_features(users[chunk], item_features, slates[chunk], history[chunk]).flatten(end_dim=1)
        target = (rewards[chunk] - target_mean).double().flatten()
        gram += design.T @ design
        cross += design.T @ target
        square += target.square().sum()
        num_rows += len(target)
    return Moments(gram, cross, square, num_rows)


def _ridge(folds: list[Moments]) -> Tensor:
    """Ridge coefficients on all folds, with the strength of the lowest cross-validated squared error.

    The error of coefficients b on a fold is `y'y - 2 b'X'y + b'X'X b`, which needs no second pass over the data.
    """

    def solve(moments: list[Moments], penalty: float) -> Tensor:
        gram = sum((m.gram for m in moments[1:]), moments[0].gram)
        cross = sum((m.cross for m in moments[1:]), moments[0].cross)
        ridge = torch.full_like(cross, penalty * max(1, sum(m.num_rows for m in moments)))
        # repetition is rare in a log but has a large coefficient, which the penalty of the others would shrink away
        ridge[-1] = 1.0
        return torch.cholesky_solve(cross[:, None], torch.linalg.cholesky(gram + ridge.diag()))[:, 0]

    def error(penalty: float) -> float:
        total = 0.0
        for held_out, fold in enumerate(folds):
            b = solve([m for i, m in enumerate(folds) if i != held_out], penalty)
            total += float(fold.square - 2 * b @ fold.cross + b @ fold.gram @ b)
        return total

    return solve(folds, min(PENALTIES, key=error))


def _spread(values: Tensor) -> Tensor:
    return values.std(correction=0).clamp(min=1e-9)


def _standardized(values: Tensor) -> Tensor:
    return (values - values.mean()) / _spread(values)
