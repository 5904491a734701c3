"""Matrix factorization of logged ratings with biases, fitted by alternating least squares: the user model of `preference_model`.

    r_ui ~ mean + b_u + b_i + p_u.q_i

(Koren, Bell and Volinsky 2009, "Matrix factorization techniques for recommender systems", IEEE Computer 42:8), where the squared error
plus bias_regularization (sum b_u^2 + sum b_i^2) + regularization (sum |p_u|^2 + sum |q_i|^2) is minimised by alternating least squares
(Zhou et al. 2008, "Large-scale parallel collaborative filtering for the Netflix prize"): with the items fixed, every (b_u, p_u) is the
solution of a small ridge regression, and vice versa. The normal equations of all users are summed and solved as one batch.

With features x_i of the items, such as components of their texts, items are pulled towards what these tell, not towards 0 (a regression
prior; Agarwal and Chen 2009, "Regression-based latent factor models", KDD): in the penalties, (b_i, q_i) is replaced by (b_i, q_i) - B x_i,
and feature_penalty |B|^2, in the same penalties, is added. B is fitted in turn with users and items, and each of the three steps
minimises the same sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recframe.interfaces import DataError, Interactions

# Number of ratings whose outer products are held at once. It limits the memory of a sweep to 2^16 (factors + 1)^2 numbers.
CHUNK_RATINGS = 1 << 16


@dataclass(frozen=True)
class Ratings:
    """R logged ratings on the CPU: `users`, `items` `[R]` int64 and `values` `[R]` float64."""

    users: Tensor
    items: Tensor
    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor) -> Ratings:
        return Ratings(self.users[rows], self.items[rows], self.values[rows])

    @staticmethod
    def of(interactions: Interactions, feedback: str) -> Ratings:
        """The ratings in the column `feedback`, without the rows that have none.

        Raises
        ------
        DataError: the column does not exist, or it holds fewer than two ratings, or all are equal.
        """
        if feedback not in interactions.feedback:
            raise DataError(f"the interactions have no feedback {feedback!r}; they have {', '.join(interactions.feedback) or 'none'}")
        frame = interactions.frame.select("user", "item", feedback).fill_nan(None).drop_nulls()
        if frame.height < 2:
            raise DataError(f"a user model needs at least 2 ratings; the interactions have {frame.height} in {feedback!r}")
        users, items, values = (torch.tensor(frame[name].to_numpy()) for name in frame.columns)
        if values.min() == values.max():
            raise DataError(
                f"{interactions.source or 'the interactions'}: every {feedback} is {values[0].item():g}, so nothing says what people like; "
                "a user model needs ratings that differ, or a log of 1 for a click and 0 for an item that was shown and not clicked"
            )
        return Ratings(users.long(), items.long(), values.double())


@dataclass(frozen=True)
class FitOptions:
    """What a fit depends on in addition to the data; the fields are the options of the same names."""

    factors: int
    regularization: float
    bias_regularization: float
    iterations: int
    seed: int
    feature_penalty: float = 1.0


@dataclass(frozen=True)
class RatingModel:
    """`mean` (rating), `user_biases` `[P]`, `item_biases` `[M]`, `user_factors` `[P, f]`, `item_factors` `[M, f]`, on the CPU, float64.

    Users and items without ratings have biases and factors of zero.
    """

    mean: Tensor
    user_biases: Tensor
    item_biases: Tensor
    user_factors: Tensor
    item_factors: Tensor

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """Predicted ratings `[R]` of `users` `[R]` for `items` `[R]`."""
        interaction = (self.user_factors[users] * self.item_factors[items]).sum(dim=1)
        return self.mean + self.user_biases[users] + self.item_biases[items] + interaction


def ridge_regressions(groups: Tensor, num_groups: int, features: Tensor, rows: Tensor, targets: Tensor, penalties: Tensor) -> Tensor:
    """Solve one ridge regression per group: the coefficients `[num_groups, f]`, zero for an empty group.

    Example r belongs to group `groups[r]`, has features `features[rows[r]]` (`features` is `[n, f]`) and target `targets[r]`;
    `penalties` `[f]` are added to the diagonal.
    """
    size = features.shape[1]
    gram = torch.zeros(num_groups, size * size, dtype=features.dtype)
    moment = torch.zeros(num_groups, size, dtype=features.dtype)
    chunks = (torch.split(values, CHUNK_RATINGS) for values in (groups, rows, targets))
    for group, row, target in zip(*chunks, strict=True):
        x = features[row]
        gram.index_add_(0, group, (x[:, :, None] * x[:, None, :]).flatten(1))
        moment.index_add_(0, group, x * target[:, None])
    coefficients: Tensor = torch.linalg.solve(gram.view(num_groups, size, size) + torch.diag(penalties), moment)
    return coefficients


def fit_ratings(ratings: Ratings, num_users: int, num_items: int, options: FitOptions, features: Tensor | None = None) -> RatingModel:
    """Fit P users and M items to `ratings`. It runs on the CPU, where the order of sums is fixed, so that a fit is reproducible.

    features: `[M, k]` float64, what is known of the items beforehand; None: nothing. With them, items without ratings have the biases and
        factors that their features tell.
    """
    generator = torch.Generator().manual_seed(options.seed)
    mean = ratings.values.mean()
    penalties = torch.tensor([options.bias_regularization] + [options.regularization] * options.factors, dtype=torch.float64)
    # the first column of the coefficients is the bias; small random factors break the symmetry
    items = 0.1 * torch.randn(num_items, 1 + options.factors, generator=generator, dtype=torch.float64)
    items[:, 0] = 0.0
    users = torch.zeros(num_users, 1 + options.factors, dtype=torch.float64)

    def other_side(coefficients: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(coefficients[:, :1]), coefficients[:, 1:]], dim=1)

    expected = torch.zeros_like(items)
    for _ in range(options.iterations):
        residuals = ratings.values - mean - items[ratings.items, 0]
        users = ridge_regressions(ratings.users, num_users, other_side(items), ratings.items, residuals, penalties)
        residuals = ratings.values - mean - users[ratings.users, 0]
        if features is not None:
            residuals -= (other_side(users)[ratings.users] * expected[ratings.items]).sum(dim=1)
        items = ridge_regressions(ratings.items, num_items, other_side(users), ratings.users, residuals, penalties)
        if features is not None:
            items = items + expected
            expected = features @ ridge_coefficients(features, items, options.feature_penalty)
    return RatingModel(mean, users[:, 0], items[:, 0], users[:, 1:], items[:, 1:])


def ridge_coefficients(features: Tensor, targets: Tensor, penalty: float) -> Tensor:
    """The B `[k, c]` that minimises |targets - features B|^2 + penalty |B|^2, for `features` `[M, k]` and `targets` `[M, c]`."""
    gram = features.T @ features + penalty * torch.eye(features.shape[1], dtype=features.dtype)
    coefficients: Tensor = torch.linalg.solve(gram, features.T @ targets)
    return coefficients


def mean_and_deviation(model: RatingModel) -> tuple[float, float]:
    """Mean and standard deviation of the predicted ratings over all pairs of user and item, without forming the pairs.

    A prediction minus the mean is a product x_u.y_i with x_u = (b_u, 1, p_u) and y_i = (1, b_i, q_i). The mean of its square over all
    pairs is the sum of the elementwise product of the two matrices of second moments.
    """
    x = torch.cat([model.user_biases[:, None], torch.ones_like(model.user_biases[:, None]), model.user_factors], dim=1)
    y = torch.cat([torch.ones_like(model.item_biases[:, None]), model.item_biases[:, None], model.item_factors], dim=1)
    mean = (x.mean(dim=0) @ y.mean(dim=0)).item()
    square = ((x.T @ x / len(x)) * (y.T @ y / len(y))).sum().item()
    return model.mean.item() + mean, math.sqrt(max(square - mean**2, 0.0))
