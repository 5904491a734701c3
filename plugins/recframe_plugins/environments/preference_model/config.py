"""Options of the environment preference_model. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import FLOAT, MemoryNeed, Sizes, option, seed_option
from recframe_plugins.environments.simulation.config import BoredomConfig, ItemVectorsConfig


@dataclass
class PreferenceModelConfig(ItemVectorsConfig, BoredomConfig):
    """Users who respond as a matrix factorization of the logged ratings predicts, and who tire of repetition.

    It reads who rated what and how, and with `text_components` the texts of items. It uses neither the sequences of the log nor its times.
    """

    feedback: str = option("rating", "logged feedback column that holds the ratings")
    model_seed: int = seed_option(0, "seed of the fit, of the held-out ratings and of the evaluation split of the people")
    factors: int = option(8, "length of the user and item factors; 0: biases only", ge=0)
    regularization: float = option(25.0, "L2 penalty on the factors", gt=0.0)
    bias_regularization: float = option(2.0, "L2 penalty on the biases, also for the biases-only baseline", gt=0.0)
    text_components: int = option(
        0, "leading principal components of the texts of items with interactions, from which biases and factors are expected; 0: none", ge=0
    )
    text_penalty: float = option(100.0, "L2 penalty on the coefficients of these components", gt=0.0)
    iterations: int = option(15, "sweeps of alternating least squares over users and items", ge=1)
    holdout: float = option(
        0.1, "share of ratings held out to score the model, which is then refitted on all ratings; 0: no score", ge=0.0, lt=1.0
    )
    similarity: str = option(
        "text",
        "vectors by which items are similar for boredom and the quit rule: of their texts, their fitted factors, or from item_vectors",
        choices=["text", "factors", "vectors"],
    )
    similarity_dims: int = option(32, "number of leading principal components of these vectors to keep", ge=1)
    rating_noise: float = option(0.5, "standard deviation of the noise in a rating, in standard deviations of predicted ratings", ge=0.0)
    taste_weight: float = option(1.5, "utility of one standard deviation of predicted rating; of a log with clicks, see calibrate", gt=0.0)
    threshold: float = option(2.0, "utility at which the probability of a click is one half; of a log with clicks, see calibrate")
    calibrate: bool = option(
        True, "fit taste_weight and threshold to held-out clicks, if the log has clicks, so that click rates are those of the log"
    )
    click_rating: float | None = option(
        None, "logged value from which on an interaction is a click; null: 1 in a log of 0 and 1 alone, and no other log has clicks"
    )

    def contradictions(self) -> Iterator[str]:
        """A penalty on what is not read."""
        if not self.text_components and self.text_penalty != type(self).text_penalty:
            yield "environment.text_penalty has no meaning without environment.text_components; set the components, or leave it out"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The factors of items and of the users at once."""
        factors = FLOAT * self.factors * (sizes.items + sizes.users)
        yield MemoryNeed(f"environment.factors={self.factors}", "the factors of items and users", factors)
