"""Rating matrix: users whose rating of every item is known, so that policies are compared without a model of the users.

User u's rating of item i is R_ui, independent of the items shown before. With thresholds c and p,

    rating    R_ui               click     1 if R_ui >= c               purchase  1 if R_ui >= p

Sessions end by the protocol (`sessions.py`) and the quit rule (`quit_rule.py`). Under `fixed_length`, and under `no_repetition` without
quitting, the oracle that shows the best remaining items is optimal for every reward that is a sum over items, and the best fixed slate
has the items with the highest mean. A study of state encoders (Liu et al. 2022, RL4Rec) found that these references beat most learned
policies. Compare KuaiRec's fully observed matrix (Gao et al. 2022, arXiv:2202.10842) and EasyRL4Rec (Yu et al. 2024, arXiv:2402.15164).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recframe.interfaces import Data, DataError, Split, Truth
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.simulation.quit_rule import QuitRule, principal_directions
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction, people_of_split

EVALUATION_SHARE = 0.2
"""Share of the people who are kept for evaluation if the dataset keeps nobody."""


class RatingMatrixEnvironment(SimulatedSessions):
    """The people of `data.ratings`; see the module docstring. `Observation.user` is their row.

    Raises
    ------
    DataError: the data has no matrix, the matrix does not fit users and catalogue, or there are too few items or people.
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
        if not ratings.isfinite().all():
            user, item = (~ratings.isfinite()).nonzero()[0].tolist()
            raise DataError(
                f"the rating matrix holds {float(ratings[user, item])} for user {user} and item {item}; ratings are finite numbers"
            )
        super().__init__(
            config,
            num_items=ratings.shape[1],
            num_users=num_users,
            history_length=history_length,
            signals=("click", "rating", "purchase"),
            device=device,
            protocol=config.protocol,
            recent_length=config.quit_window,
        )
        self.ratings = ratings.to(self.device)
        self.people = self._people(data.held_out, split)
        low, high = (float(end) for end in self.ratings.aminmax())
        self.click_threshold = (low + high) / 2 if config.click_threshold is None else config.click_threshold
        self.purchase_threshold = low + 0.75 * (high - low) if config.purchase_threshold is None else config.purchase_threshold
        quits = config.quit_count if config.protocol != "fixed_length" else 0
        self.quit_rule = QuitRule(self._item_vectors(config, data, bool(quits)), config.quit_window, quits, config.quit_similarity)

    def _people(self, held_out: Tensor | None, split: Split) -> Tensor:
        """The rows of the people of the split: as the dataset holds them out, or a fixed fifth for evaluation if it holds out nobody."""
        everybody = torch.arange(len(self.ratings), device=self.device)
        chosen = people_of_split(everybody, split, EVALUATION_SHARE, seed=0)
        return chosen if held_out is None else everybody[held_out.to(self.device) == (split == "evaluation")]

    def _item_vectors(self, config: RatingMatrixEnvironmentConfig, data: Data, needed: bool) -> Tensor:
        """The vectors `[M, B]` that the quit rule compares."""
        if not needed:
            return torch.zeros(self.spec.num_items, 1, device=self.device)
        if config.similarity == "ratings":
            return principal_directions(self.ratings.T, config.similarity_dims).to(self.device)
        if data.catalog.text_vectors is None:
            raise DataError("environment.similarity is 'text', but the catalogue has no text vectors; use 'ratings'")
        if not data.catalog.text_vectors.shape[1]:
            raise DataError("environment.similarity is 'text', but texts are not read; use 'ratings', or choose an encoder@world_encoder")
        return principal_directions(data.catalog.text_vectors, config.similarity_dims).to(self.device)

    def arrivals(self) -> dict[str, Tensor]:
        """Draw N people of the split (`drawn_from`)."""
        return {"user": self.drawn_from(self.people)}

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
        return Truth(signals, self.quit_rule.of_all(self.state["recent"]).float())

    def _signals(self, ratings: Tensor) -> dict[str, Tensor]:
        click, purchase = ratings >= self.click_threshold, ratings >= self.purchase_threshold
        return {"click": click.float(), "rating": ratings, "purchase": purchase.float()}
