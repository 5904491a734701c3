"""Options of the recommenders that are fitted to a log. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import FLOAT, MemoryNeed, Sizes, option

DECAY = "factor of an item's weight for each item that came after it in the history; 1: all count the same"
REPEATS = "score items of the history like others, where they may be shown at all; if not, they come after all others"


@dataclass
class LogScorerConfig:
    """What counts in a log, and whether the history may come again."""

    weights: str = option("click", "value of an interaction that is a click: 1 (click), or that of a signal above 0, such as rating")
    repeats: bool = option(False, REPEATS)


@dataclass
class ItemKNNConfig(LogScorerConfig):
    """Items similar to those of the history by who took them, the recent ones counting more.

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    neighbors: int = option(500, "most similar items that are kept of each item; memory grows with them", ge=1)
    shrinkage: float = option(10.0, "added to the product of norms in the cosine; shrinks the similarity of items that few took", ge=0)
    decay: float = option(0.7, DECAY, gt=0, le=1)


@dataclass
class UserKNNConfig(LogScorerConfig):
    """What those took whose histories are similar.

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    neighbors: int = option(100, "most similar users (or sessions) of the log whose items are recommended", ge=1)
    shrinkage: float = option(10.0, "added to the product of norms in the cosine; shrinks the similarity of short histories", ge=0)
    decay: float = option(0.7, DECAY, gt=0, le=1)


@dataclass
class EASEConfig(LogScorerConfig):
    """A linear model that predicts each item from all others, in closed form.

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    regularization: float = option(500.0, "lambda, the weight of the squared coefficients", gt=0)
    max_items: int = option(20_000, "largest catalogue: memory grows with its square, time with its cube", ge=1)
    decay: float = option(1.0, DECAY, gt=0, le=1)


@dataclass
class ALSConfig(LogScorerConfig):
    """Factors of users and items by alternating least squares, by the library implicit (recframe[implicit]).

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    factors: int = option(64, "dimensions of a user's and an item's factors", ge=1)
    regularization: float = option(0.01, "weight of the squared factors", gt=0)
    confidence: float = option(40.0, "alpha: an interaction of value r has the confidence 1 + alpha r; one that is not logged has 1", ge=0)
    iterations: int = option(15, "passes over all users and all items", ge=1)
    fold_in: str = option(
        "new", "whose factors are computed from the history: those of users that are not in the log, or all",
        choices=["new", "all"],
    )  # fmt: skip
    decay: float = option(1.0, DECAY, gt=0, le=1)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The factors of the items."""
        yield MemoryNeed(f"agent.factors={self.factors}", f"the factors of {sizes.items:,} items", FLOAT * sizes.items * self.factors)


@dataclass
class BPRConfig(LogScorerConfig):
    """Factors of users and items by Bayesian personalized ranking, with uniformly drawn items as those not preferred.

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    factors: int = option(64, "dimensions of a user's and an item's factors", ge=1)
    learning_rate: float = option(1e-3, "step size of Adam", gt=0, le=10)
    regularization: float = option(0.0, "lambda, the weight of the squared factors", ge=0)
    epochs: int = option(100, "passes over the log; choose it by validation: too many overfit", ge=1)
    batch_size: int = option(2_048, "pairs of a user and an item in a gradient step", ge=1)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The factors of the items."""
        yield MemoryNeed(f"agent.factors={self.factors}", f"the factors of {sizes.items:,} items", FLOAT * sizes.items * self.factors)


PARTS = ["item_knn", "user_knn", "ease", "als", "bpr_mf", "content_cosine"]


@dataclass
class HybridConfig(LogScorerConfig):
    """Several recommenders of logs, weighted by how well they predict held-out interactions of training.

    Inherited from `LogScorerConfig`: weights, repeats.
    """

    parts: list[str] = option(["item_knn", "user_knn", "ease"], "the recommenders, with the defaults of their own options", choices=PARTS)
    max_queries: int = option(2_000, "largest number of sequences whose last interaction the weights are fitted to", ge=1)

    def contradictions(self) -> Iterator[str]:
        """A mixture of nothing, or of the same twice."""
        if not self.parts:
            yield f"agent.parts is empty: list recommenders, from {', '.join(PARTS)}"
        elif len(set(self.parts)) < len(self.parts):
            yield "agent.parts: a recommender is listed twice; list each once"
