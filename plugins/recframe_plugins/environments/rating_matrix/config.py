"""Options of the environment rating_matrix. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.environments.simulation.config import ItemVectorsConfig, ProtocolConfig, SessionConfig


@dataclass
class RatingMatrixEnvironmentConfig(ItemVectorsConfig, ProtocolConfig, SessionConfig):
    """Users whose rating of every item is known, so that rewards are exact.

    Where nobody quits and no rating is missing, the oracle and the best fixed slate are exact, too. With quit rules or excluded cells,
    the fixed slate is the best that a search finds, and the oracle weighs leaving by one number.
    """

    max_steps: int = option(20, "time limit of a session in steps (slates shown)", ge=1)
    protocol: str = option(
        "fixed_length",
        "free: items may be repeated; no_repetition: each item once per session; fixed_length: also, and no user leaves before max_steps",
        choices=["free", "no_repetition", "fixed_length"],
    )
    quit_count: int = option(3, "number of similar items among the last quit_window that makes a user quit; 0: users never quit", ge=0)
    click_threshold: float | None = option(None, "rating from which on an item is clicked; null: halfway from the lowest to the highest")
    purchase_threshold: float | None = option(None, "rating from which on an item is bought; null: three quarters of the way")
    missing: str = option(
        "exclude",
        "a rating that the dataset does not have. exclude: the item is never shown to that person; impute: it is predicted from the known "
        "ratings of the people of the same split, by a matrix factorization",
        choices=["exclude", "impute"],
    )
    factors: int = option(8, "length of the user and item factors of missing=impute; 0: biases only", ge=0)
    regularization: float = option(10.0, "L2 penalty on these factors", gt=0.0)
    bias_regularization: float = option(2.0, "L2 penalty on the biases of missing=impute", gt=0.0)
    similarity: str = option(
        "ratings",
        "vectors by which the quit rule compares items: their ratings by all people, their texts, or those of item_vectors",
        choices=["ratings", "text", "vectors"],
    )
    similarity_dims: int = option(
        32, "number of leading principal components of ratings or texts to keep for cosines; distances are those of all numbers", ge=1
    )
