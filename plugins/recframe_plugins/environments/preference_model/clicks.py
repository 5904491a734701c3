"""The clicks of a log, and the click curve of a rating model that is fitted to them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.report_cards import calibration_of
from recframe_plugins.environments.preference_model.calibration import ClickCurve, click_curve
from recframe_plugins.environments.preference_model.matrix_factorization import RatingModel, Ratings, mean_and_deviation
from recframe_plugins.environments.preference_model.scored_model import ScoredModel

__all__ = ["CalibratedClicks", "calibrated_clicks", "logged_clicks"]

SAMPLED_PAIRS = 1 << 16


class CalibratedClicks(NamedTuple):
    """A click curve; None if the log has no clicks or they cannot be fitted.    measures: about it, by name.    problem: why not, or ""."""

    curve: ClickCurve | None
    measures: dict[str, float]
    problem: str = ""


def logged_clicks(ratings: Ratings, click_rating: float | None) -> Tensor | None:
    """Which of the logged ratings are clicks, `[R]` bool; None if the log has no clicks: it is not of 0 and 1, and `click_rating` None."""
    if click_rating is None and not bool(((ratings.values == 0.0) | (ratings.values == 1.0)).all()):
        return None
    return ratings.values >= (1.0 if click_rating is None else click_rating)


def calibrated_clicks(scored: ScoredModel, click_rating: float | None) -> CalibratedClicks:
    """Fit the click curve to one half of the held-out ratings, and measure it on the other half.

    The measures are the share of clicks in the log; the mean probability on that other half and over all pairs of user and item, of which
    most are not in the log; and the calibration error with its tenths.
    """
    clicks = logged_clicks(scored.ratings, click_rating)
    if clicks is None:
        return CalibratedClicks(None, {})
    measures = {"user_model/click_rate_log": clicks.double().mean().item()}
    held_out = scored.held_out
    if held_out is None:
        return CalibratedClicks(None, measures, "environment.holdout is 0, so there are no held-out clicks")
    test = held_out.ratings
    half = len(test) // 2
    observed, scores = logged_clicks(test, click_rating), standardised(held_out.fitted, test.users, test.items)
    assert observed is not None
    if not half or not bool(observed[:half].any()) or bool(observed[:half].all()):
        return CalibratedClicks(None, measures, f"of {half} held-out ratings, none or all are clicks")
    curve = click_curve(scores[:half], observed[:half])
    predicted = curve(scores[half:])
    measures["user_model/click_rate_held_out"] = predicted.mean().item()
    measures["user_model/click_rate_all_pairs"] = curve(standardised(scored.model, *random_pairs(scored.users, scored.model))).mean().item()
    return CalibratedClicks(curve, measures | calibration_of(predicted, observed[half:], "user_model/click_calibration_error"))


def standardised(model: RatingModel, users: Tensor, items: Tensor) -> Tensor:
    """Predicted ratings `[R]`, less their mean over all pairs of user and item, in standard deviations over all pairs."""
    mean, deviation = mean_and_deviation(model)
    return (model.predict(users, items) - mean) / (deviation or 1.0)


def random_pairs(users: Tensor, model: RatingModel) -> tuple[Tensor, Tensor]:
    """Users with ratings and items, `[65536]` each, drawn uniformly; the same ones for the same model."""
    generator = torch.Generator().manual_seed(0)
    drawn = users[torch.randint(len(users), (SAMPLED_PAIRS,), generator=generator)]
    return drawn, torch.randint(len(model.item_biases), (SAMPLED_PAIRS,), generator=generator)
