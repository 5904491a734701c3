"""Preference model: simulated users from logged ratings, who also respond to items that they never rated. Reports the model's errors.

The predicted rating r^_ui of a matrix factorization (see `matrix_factorization.py`) is standardised over all pairs of user and item,
s_ui = (r^_ui - m) / d, and the appeal of an item to a user is

    a_i = taste_weight s_ui

The rest is in `boredom.py`, with the same `threshold` for all users, and with v_i the normalised coordinates on the leading principal
components of the items' text vectors, or of their factors. With fatigue subtracted and noise added, the user's rating is

    r_i = clip(m + d (u_i / taste_weight + rating_noise eps), low, high),   eps ~ Normal(0, 1)

where low and high are the lowest and the highest rating in the data. If the log has clicks (0 and 1, or ratings from `click_rating`), the
probability of a click of a rested user is calibrated to them: `taste_weight` and `threshold` are the slope and minus the intercept of a
logistic regression of held-out clicks on s (`calibration.py`). What the log does not have, most pairs of user and item, is extrapolated;
the report gives the click rate of the log, of held-out pairs and of all pairs. The mean of a rating is that of a censored normal variable.
Tastes do not drift: the log says nothing about reactions to recommendations. The order and the times of the ratings are not used: who
rated what, how, and with `text_components` the items' texts, is all that the model reads. That users tire of repetition is an
assumption, not a finding; the held-out errors in `report()` judge the rating model alone. Items that a person has rated in
the log may be shown to them again.

The default penalties were tuned for held-out error on MovieTweetings-100K (5-core). It has few ratings per person, so the fit is hardly
personal: the standard deviation of p_u.q_i over all pairs is 0.025 rating points, against 0.74 for the user and 0.88 for the item biases.
Showing everybody the best items in turn is then nearly optimal, so the gain of a policy in such a world does not prove personalisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Data, DataError, Split, coordinates_by
from recframe.report_cards import calibration_of
from recframe_plugins.environments.preference_model.caveats import model_caveats
from recframe_plugins.environments.preference_model.clicks import CalibratedClicks, calibrated_clicks
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, RatingModel, Ratings, mean_and_deviation
from recframe_plugins.environments.preference_model.scored_model import errors_of, scored_model
from recframe_plugins.environments.simulation.boredom import BoredomSessions
from recframe_plugins.environments.simulation.item_vectors import compared_vectors, read_item_vectors
from recframe_plugins.environments.simulation.sessions import people_of_split

# choice models in which an item shown alone is clicked with probability sigmoid(utility - threshold), as the calibration assumes
SIGMOID_ALONE = ("independent",)
LEAST_SLOPE = 1e-3


def censored_normal_mean(mean: Tensor, deviation: float, low: float, high: float) -> Tensor:
    """E clip(X, low, high) for X ~ Normal(mean, deviation^2), in the shape of `mean`."""
    if deviation == 0.0:
        return mean.clamp(low, high)

    def excess(bound: float) -> Tensor:
        """E max(X - bound, 0)."""
        z = (mean - bound) / deviation
        mean_excess: Tensor = deviation * (z * torch.special.ndtr(z) + torch.exp(-0.5 * z.square()) / math.sqrt(2.0 * math.pi))
        return mean_excess

    return low + excess(low) - excess(high)


def _overruled(given: PreferenceModelConfig, fitted: PreferenceModelConfig) -> Iterator[str]:
    """A sentence for each setting of the click's probability that somebody gave, and that the calibration has replaced."""
    for name in ("taste_weight", "threshold"):
        value, in_its_place = getattr(given, name), getattr(fitted, name)
        if value != getattr(PreferenceModelConfig, name):
            yield (
                f"environment.{name}={value:g} is not used: {in_its_place:.3g} was fitted to the clicks of the log; to use it, set "
                "environment.calibrate to false"
            )


class PreferenceModel(BoredomSessions):
    """The logged users of the split, as a matrix factorization of their ratings predicts them; see the module docstring for the equations.

    `Observation.user` is the row of the user in the data. The environments of a run share one fit (`scored_model`).

    Raises
    ------
    DataError: the data has no interactions or ratings, no text vectors to compare items by, or too few items or people.
    """

    config: PreferenceModelConfig

    def __init__(
        self, config: PreferenceModelConfig, data: Data, *, num_users: int, history_length: int, split: Split, device: torch.device | str
    ) -> None:
        if data.interactions is None:
            raise DataError("preference_model needs logged interactions; this dataset has none")
        options = FitOptions(
            config.factors, config.regularization, config.bias_regularization, config.iterations, config.model_seed, config.text_penalty
        )
        people = len(data.users) if data.users is not None else int(data.interactions.frame["user"].to_numpy().max()) + 1
        scored = scored_model(
            data.interactions, config.feedback, people, len(data.catalog), options, config.holdout, self._text_features(config, data)
        )
        clicks = calibrated_clicks(scored, config.click_rating) if config.calibrate else CalibratedClicks(None, {})
        if clicks.curve is not None and config.choice_model not in SIGMOID_ALONE:
            clicks = clicks._replace(curve=None, problem=f"environment.choice_model={config.choice_model} has other probabilities")
        self._overruled: list[str] = []
        if clicks.curve is not None:
            slope, intercept = clicks.curve
            fitted = replace(config, taste_weight=max(slope, LEAST_SLOPE), threshold=-intercept)
            self._overruled = list(_overruled(config, fitted))
            config = fitted
        vectors = self._compared(config, data, scored.model)
        given, distances = config.similarity == "vectors", config.quit_distance is not None
        super().__init__(
            config,
            compared_vectors(vectors, config.similarity_dims, distances=False, given=given).to(device),
            num_users=num_users,
            history_length=history_length,
            device=device,
            quit_vectors=compared_vectors(vectors, config.similarity_dims, distances=True, given=given).to(device) if distances else None,
        )
        model = scored.model
        self.low, self.high = scored.low, scored.high
        self._errors, self._held_out, self._clicks = errors_of(scored.held_out), scored.held_out, clicks
        self.mean, self.deviation = mean_and_deviation(model)
        self.people = people_of_split(scored.users.to(device), split, config.evaluation_share, config.model_seed)
        # if all predictions are equal they are at the mean, and any positive unit will do
        scale = config.taste_weight / (self.deviation or 1.0)
        self.user_appeal = (scale * (model.user_biases + model.mean - self.mean)).float().to(device)
        self.item_appeal = (scale * model.item_biases).float().to(device)
        self.user_factors = (scale * model.user_factors).float().to(device)
        self.item_factors = model.item_factors.float().to(device)

    @staticmethod
    def _text_features(config: PreferenceModelConfig, data: Data) -> Tensor | None:
        """The coordinates of the items' texts on their leading components, `[M, k]` float64; None: not read.

        Components are those of the items with interactions, over which each coordinate has a variance of 1: no text of an item that is
        in the held-out part of a log alone has a say in them.
        """
        vectors = data.catalog.text_vectors
        if not config.text_components:
            return None
        if vectors is None or not vectors.shape[1]:
            raise DataError("environment.text_components reads texts, and none are read; set it to 0, or choose an encoder@world_encoder")
        assert data.interactions is not None
        met = torch.from_numpy(data.interactions.frame["item"].unique().sort().to_numpy(writable=True))
        coordinates = coordinates_by(vectors, vectors[met], config.text_components)
        return coordinates / coordinates[met].square().mean(dim=0).sqrt().clamp(min=1e-12)

    @staticmethod
    def _compared(config: PreferenceModelConfig, data: Data, model: RatingModel) -> Tensor:
        """The vectors `[M, D]` by which items are similar."""
        if config.item_vectors is not None:
            return read_item_vectors(config.item_vectors, len(data.catalog))
        vectors = data.catalog.text_vectors if config.similarity == "text" else model.item_factors
        if vectors is None:
            raise DataError("environment.similarity is 'text', but the catalogue has no text vectors; use 'factors'")
        if vectors.shape[1] == 0:
            remedies = {
                "text": "texts are not read; use 'factors', or choose an encoder@world_encoder",
                "factors": "environment.factors is 0; use 'text' or more factors",
            }
            raise DataError(f"environment.similarity is {config.similarity!r}, but {remedies[config.similarity]}")
        return vectors

    @classmethod
    def training_data(cls, config: PreferenceModelConfig, data: Data) -> Data:
        """The data with the popularity of the items among the people of the training split: their number of logged interactions."""
        held_out = cls.held_out_users(config, data)
        if data.interactions is None or held_out is None:
            return data
        users, items = (torch.tensor(data.interactions.frame[name].to_numpy()) for name in ("user", "item"))
        counts = torch.bincount(items[~torch.isin(users, held_out)], minlength=len(data.catalog))
        return data._replace(catalog=replace(data.catalog, popularity=counts.float()))

    @classmethod
    def held_out_users(cls, config: PreferenceModelConfig, data: Data) -> Tensor | None:
        """The people of the evaluation split, of those who rated anything."""
        if data.interactions is None:
            return None
        rated = torch.unique(Ratings.of(data.interactions, config.feedback).users)
        return people_of_split(rated, "evaluation", config.evaluation_share, config.model_seed)

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`)."""
        return {"user": self.drawn_from(self.people)}

    def appeal(self, slate: Tensor, shown: Tensor) -> Tensor:
        """The appeal a `[N, K]`."""
        user = self.state["user"]
        match = torch.einsum("nkf,nf->nk", F.embedding(slate, self.item_factors), F.embedding(user, self.user_factors))
        return self.user_appeal[user][:, None] + self.item_appeal[slate] + match

    def appeal_of_all(self) -> Tensor:
        """The appeal a `[N, M]`."""
        user = self.state["user"]
        return self.user_appeal[user][:, None] + self.item_appeal + self.user_factors[user] @ self.item_factors.T

    def rate(self, utility: Tensor, noise: Tensor) -> Tensor:
        """Ratings between the lowest and the highest of the data."""
        return (self._uncensored_rating(utility) + self.deviation * self.config.rating_noise * noise).clamp(self.low, self.high)

    def expected_rating(self, utility: Tensor) -> Tensor:
        """The mean of a censored normal variable."""
        return censored_normal_mean(self._uncensored_rating(utility), self.deviation * self.config.rating_noise, self.low, self.high)

    def report(self) -> dict[str, float]:
        """Errors and calibration on held-out ratings, and the click rates; empty if nothing is held out.

        `user_model/rmse_*` and `user_model/mae_*` are of the model, the biases alone and the global mean; `clicks.py` has the click rates.
        """
        measures = dict(self._errors)
        if self._held_out is not None:
            observed = self._held_out.ratings.values
            measures |= calibration_of(self._held_out.predictions["model"], observed, "user_model/rating_calibration_error")
        return measures | self._clicks.measures

    def caveats(self) -> tuple[str, ...]:
        """Whether the model is no better than a constant or than biases, which settings are not used, and why click rates are not those of
        the log, if they are not.
        """
        lines = list(model_caveats(self._errors, f"held-out {self.config.feedback}s of the log"))
        if not self._errors:
            lines.append("the user model was not scored on held-out ratings (environment.holdout=0): how much it knows is not known")
        lines += self._overruled
        if self._clicks.problem:
            lines.append(f"click rates are not calibrated to the log: {self._clicks.problem}")
        elif self._clicks.curve is not None and self._clicks.curve.slope < LEAST_SLOPE:
            lines.append("what the model predicts to be liked is not clicked more often in held-out data; clicks depend on chance")
        return tuple(lines)

    def _uncensored_rating(self, utility: Tensor) -> Tensor:
        return self.mean + self.deviation / self.config.taste_weight * utility
