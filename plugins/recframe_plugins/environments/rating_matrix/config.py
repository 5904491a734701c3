"""Options of the environment rating_matrix. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.environments.simulation.config import ProtocolConfig, SessionConfig


@dataclass
class RatingMatrixEnvironmentConfig(ProtocolConfig, SessionConfig):
    """Users whose rating of every item is known: rewards are dense and exact, and so are the oracle and the best fixed slate."""

    max_steps: int = option(20, "time limit of a session in steps (slates shown)", ge=1)
    protocol: str = option(
        "fixed_length",
        "free: items may be repeated; no_repetition: each once a session; fixed_length: also, and nobody leaves before max_steps",
        choices=["free", "no_repetition", "fixed_length"],
    )
    quit_count: int = option(3, "so many similar items among the last quit_window make a user quit; 0: they never do", ge=0)
    click_threshold: float | None = option(None, "rating from which an item is clicked; null: halfway from the least to the greatest")
    purchase_threshold: float | None = option(None, "rating from which an item is bought; null: three quarters of the way")
    similarity: str = option("ratings", "what makes items alike in the quit rule: their ratings or texts", choices=["ratings", "text"])
    similarity_dims: int = option(32, "leading principal components kept of these vectors", ge=1)
