"""Rating matrix: users whose rating of every item is known, so that policies are compared without a model of the users.

User u's rating of item i is R_ui, independent of the items shown before. With thresholds c and p,

    rating    R_ui               click     1 if R_ui >= c               purchase  1 if R_ui >= p

A rating that the data does not have (NaN) is not known: the item is never shown to that person (`Observation.excluded`; a session ends when
nothing is left to show), or the rating is predicted (`missing_ratings.py`). The truth of an item that cannot be shown to a person is the
mean response of the people of the split who rated it.

Sessions end by the protocol (`sessions.py`) and the quit rule (`quit_rule.py`). Under `fixed_length`, and under `no_repetition` without
quitting, the oracle that shows the best remaining items is optimal for every reward that is a sum over items, and the best fixed slate
has the items with the highest mean. A study of state encoders (Liu et al. 2022, RL4Rec) found that these references beat most learned
policies. Compare KuaiRec's fully observed matrix (Gao et al. 2022, arXiv:2202.10842) and EasyRL4Rec (Yu et al. 2024, arXiv:2402.15164).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from recframe.interfaces import Data, DataError, Split, Truth
from recframe_plugins.environments.preference_model.caveats import model_caveats
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.missing_ratings import ITERATIONS, imputed, item_means, unrated_items
from recframe_plugins.environments.simulation.item_vectors import compared_vectors, read_item_vectors
from recframe_plugins.environments.simulation.quit_rule import QuitRule
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction, people_of_split

log = logging.getLogger(__name__)

EVALUATION_SHARE = 0.2
"""Share of the people who are kept for evaluation if the dataset keeps nobody."""


def require_differences(ratings: Tensor) -> None:
    """Refuse a matrix `[P, M]` with infinite ratings, with no rating, or in which everybody rates all items the same.

    Raises
    ------
    DataError: it is one.
    """
    if ratings.isinf().any():
        user, item = ratings.isinf().nonzero()[0].tolist()
        raise DataError(f"the rating matrix holds {float(ratings[user, item])} for user {user} and item {item}; ratings are finite numbers")
    known = ~ratings.isnan()
    highest, lowest = ratings.masked_fill(~known, -torch.inf).amax(dim=1), ratings.masked_fill(~known, torch.inf).amin(dim=1)
    if not (highest > lowest).any():
        raise DataError(
            f"the rating matrix of {len(ratings)} users distinguishes no items: everybody rates all items the same, so all policies would "
            "be equally good; expected ratings that differ from item to item"
        )


class RatingMatrixEnvironment(SimulatedSessions):
    """The people of `data.ratings`; see the module docstring. `Observation.user` is their row.

    Raises
    ------
    DataError: the data has no matrix, the matrix does not fit users and catalogue or distinguishes no items, or there are too few items or
        people.
    ValueError: the options contradict each other.
    """

    config: RatingMatrixEnvironmentConfig

    def __init__(
        self,
        config: RatingMatrixEnvironmentConfig,
        data: Data,
        *,
        num_users: int,
        history_length: int,
        split: Split,
        device: torch.device | str,
    ) -> None:
        ratings = data.ratings
        if ratings is None:
            raise DataError("environment=rating_matrix needs a rating of every item by every user; this dataset has none")
        people = len(ratings) if data.users is None else len(data.users)
        expected = [people, len(data.catalog)]
        if list(ratings.shape) != expected:
            raise DataError(
                f"the rating matrix has the shape {list(ratings.shape)}; {people} users and {len(data.catalog)} items need {expected}"
            )
        require_differences(ratings)
        self.people = self._people(ratings, data.held_out, split, config).to(device)
        unrated = ratings.isnan()
        self.measures: dict[str, float] = {}
        if config.missing == "impute" and unrated.any():
            options = FitOptions(config.factors, config.regularization, config.bias_regularization, ITERATIONS, seed=0)
            held_out = torch.ones(len(ratings), dtype=torch.bool, device=ratings.device)
            held_out[self._people(ratings, data.held_out, "train", config)] = False
            ratings, self.measures = imputed(ratings, held_out, options)
            unrated = torch.zeros_like(unrated)
        if config.num_candidates and unrated.any():
            raise DataError("environment.num_candidates draws items that a person may not have rated; use 0, or environment.missing=impute")
        barred = unrated_items(unrated)
        super().__init__(
            config,
            num_items=ratings.shape[1],
            num_users=num_users,
            history_length=history_length,
            signals=("click", "rating", "purchase"),
            device=device,
            protocol=config.protocol,
            recent_length=config.quit_window,
            num_barred=barred.shape[1],
        )
        self.unrated = unrated.to(self.device) if barred.shape[1] else None
        self.unrated_items = barred.to(self.device)
        known = ratings[~unrated]
        low, high = float(known.min()), float(known.max())
        # what cannot be shown counts as what the others of the split say
        means = item_means(ratings[self.people.cpu()], unrated[self.people.cpu()]) if barred.shape[1] else ratings[0]
        self.ratings = torch.where(unrated, means, ratings).to(self.device)
        self.click_threshold = (low + high) / 2 if config.click_threshold is None else config.click_threshold
        self.purchase_threshold = low + 0.75 * (high - low) if config.purchase_threshold is None else config.purchase_threshold
        self.mean_signals = self._mean_signals()
        quits = config.quit_count if config.protocol != "fixed_length" else 0
        vectors = self._item_vectors(config, data, bool(quits))
        self.quit_rule = QuitRule(vectors, config.quit_window, quits, config.quit_similarity, config.quit_distance)

    @staticmethod
    def _people(ratings: Tensor, held_out: Tensor | None, split: Split, config: RatingMatrixEnvironmentConfig) -> Tensor:
        """The rows of the people of the split: as the dataset holds them out, or a fixed fifth for evaluation if it holds out nobody.

        People who have not rated enough for one slate do not appear where others' missing ratings bar items.
        """
        everybody = torch.arange(len(ratings))
        chosen = people_of_split(everybody, split, EVALUATION_SHARE, seed=0)
        if held_out is not None:
            chosen = everybody[held_out.cpu() == (split == "evaluation")]
        if config.missing == "exclude" and ratings.isnan().any():
            enough = (~ratings[chosen.to(ratings.device)].isnan()).sum(dim=1) >= config.slate_size
            if not enough.any():
                raise DataError(f"nobody of the {split} split has {config.slate_size} ratings, one for each item of a slate")
            if not enough.all():
                log.warning("%d people of the %s split have fewer ratings than a slate has items, and are left out", (~enough).sum(), split)
            chosen = chosen[enough.cpu()]
        return chosen

    def _item_vectors(self, config: RatingMatrixEnvironmentConfig, data: Data, needed: bool) -> Tensor:
        """The vectors `[M, B]` that the quit rule compares."""
        if not needed:
            return torch.zeros(self.spec.num_items, 1, device=self.device)
        vectors = self.ratings.T if config.similarity == "ratings" else data.catalog.text_vectors
        if config.item_vectors is not None:
            vectors = read_item_vectors(config.item_vectors, self.spec.num_items)
        if vectors is None:
            raise DataError("environment.similarity is 'text', but the catalogue has no text vectors; use 'ratings'")
        if not vectors.shape[1]:
            raise DataError("environment.similarity is 'text', but texts are not read; use 'ratings', or choose an encoder@world_encoder")
        distances, given = config.quit_distance is not None, config.similarity == "vectors"
        return compared_vectors(vectors, config.similarity_dims, distances=distances, given=given).to(self.device)

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`)."""
        return {"user": self.drawn_from(self.people)}

    def barred(self) -> Tensor | None:
        """The items that the people have not rated."""
        return None if self.unrated is None else self.unrated_items[self.state["user"]]

    def report(self) -> dict[str, float]:
        """With `missing=impute`, the held-out errors of the predictions of both splits; with `exclude`, the share of missing ratings."""
        if self.unrated is not None:
            return {"user_model/share_missing": self.unrated.double().mean().item()}
        return dict(self.measures)

    def caveats(self) -> tuple[str, ...]:
        """Whether imputed ratings are predicted no better than by a constant or by biases, and whether everything or nothing is clicked."""
        splits = {"user_model/": "missing ratings of training", "user_model/evaluation_": "missing ratings of evaluation"}
        lines = [line for prefix, what in splits.items() for line in model_caveats(self.measures, what, prefix)]
        shown = self.ratings if self.unrated is None else self.ratings[~self.unrated]
        share = (shown >= self.click_threshold).double().mean().item()
        if share in (0.0, 1.0):
            which = "everything" if share else "nothing"
            lines.append(
                f"{which} is clicked: environment.click_threshold is {self.click_threshold:g}, and ratings go from "
                f"{float(shown.min()):g} to {float(shown.max()):g}"
            )
        return tuple(lines)

    def draws(self) -> dict[str, Tensor]:
        """No random numbers: responses are deterministic."""
        return {}

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Signals and leaving by the equations of the module docstring."""
        ratings = self.ratings[self.state["user"][:, None], slate]
        return UserReaction(self._signals(ratings), self.quit_rule(self.state["recent"], slate), {})

    def truth(self) -> Truth:
        """Rating, click and purchase of every item, and whether showing it makes the user quit; each `[N, M]`, exact."""
        self._require_session()
        signals = self._signals(self.ratings[self.state["user"]])
        if self.unrated is not None:
            unrated = self.unrated[self.state["user"]]
            signals = {name: torch.where(unrated, self.mean_signals[name], value) for name, value in signals.items()}
        return Truth(signals, self.quit_rule.of_all(self.state["recent"]).float())

    def _mean_signals(self) -> dict[str, Tensor]:
        """The mean signals `[M]` of the people of the split who rated an item; empty if all ratings are known."""
        if self.unrated is None:
            return {}
        missing = self.unrated[self.people]
        return {name: item_means(values, missing) for name, values in self._signals(self.ratings[self.people]).items()}

    def _signals(self, ratings: Tensor) -> dict[str, Tensor]:
        click, purchase = ratings >= self.click_threshold, ratings >= self.purchase_threshold
        return {"click": click.float(), "rating": ratings, "purchase": purchase.float()}
