"""Options of RecSim's three environments, with RecSim's names and, where it has any, its defaults (Ie et al. 2019, arXiv:1909.04847)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recframe.components import FLOAT, MemoryNeed, Sizes, option, seed_option
from recframe_plugins.environments.simulation.config import ChoiceConfig, SessionConfig

TOPIC_ATTRIBUTE = "catalogue attribute with an item's topic (of a list, the first); null: topics are assigned at random"


@dataclass
class RecSimConfig(SessionConfig):
    """Options of all three environments: a few candidates from the catalogue, drawn again in each step."""

    num_candidates: int = option(10, "items that may be shown to a user in a step; 0: the whole catalogue", ge=0)
    resample_documents: bool = option(True, "draw the candidates again in each step; false: draw them once")
    topic_attribute: str | None = option("topics", TOPIC_ATTRIBUTE)
    world_seed: int = seed_option(0, "seed of the properties of the documents")


@dataclass
class InterestEvolutionConfig(ChoiceConfig, RecSimConfig):
    """RecSim's interest_evolution: interests drift with watched videos, and trashy videos use up the user's time."""

    max_steps: int = option(500, "time limit of a session in steps; the default is longer than any time budget lasts", ge=1)
    num_clusters: int = option(20, "number of topics if topic_attribute is null; otherwise the topics are those of the catalogue", ge=2)
    min_utility: float = option(-3.0, "mean quality of the trashiest topic")
    max_utility: float = option(3.0, "mean quality of the most nutritious topic")
    quality_stddev: float = option(0.1, "standard deviation of a video's quality around its topic's mean", ge=0.0)
    video_length: float = option(4.0, "length of a video in minutes", gt=0.0)
    time_budget: float = option(200.0, "minutes that a user has for a session", gt=0.0)
    step_penalty: float = option(0.5, "minutes that a slate costs if nothing is chosen", ge=0.0)
    user_update_alpha: float = option(0.9 / 3.4, "share of the watched minutes that a utility of one restores", ge=0.0)
    user_quality_factor: float = option(0.0, "weight of the user's interest in the utility received", ge=0.0)
    document_quality_factor: float = option(1.0, "weight of the video's quality in the utility received", ge=0.0)
    alpha_x_intercept: float = option(1.0, "strength of interest at which interests stop moving", gt=0.0)
    alpha_y_intercept: float = option(0.3, "distance by which an interest of zero moves towards or away from a watched video", ge=0.0)
    choice_model: str = option(
        "multinomial_proportional",
        "how the user chooses from a slate by interest",
        choices=["multinomial_logit", "multinomial_proportional", "cascade", "exponential_cascade", "proportional_cascade"],
    )
    no_click_mass: float = option(1.0, "score of clicking nothing, in the multinomial models")
    attention_prob: float = option(0.65, "probability of looking at an item, in the cascade models", ge=0.0, le=1.0)
    observe_interests: bool = option(False, "put the user's interests into the observation, as RecSim does; false: they are hidden")

    def contradictions(self) -> Iterator[str]:
        """Refuse a range of qualities that is upside down."""
        if self.min_utility > self.max_utility:
            yield f"environment.min_utility ({self.min_utility:g}) must not exceed environment.max_utility ({self.max_utility:g})"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The users' interests in topics that are not the catalogue's."""
        clusters = self.num_clusters if self.topic_attribute is None else 0
        settings = f"environment.num_clusters={clusters} with environment.num_users={sizes.users}"
        yield MemoryNeed(settings, "the users' interests", FLOAT * clusters * (sizes.users + sizes.items))


@dataclass
class InterestExplorationConfig(ChoiceConfig, RecSimConfig):
    """RecSim's interest_exploration: topics with wide appeal hide that some users prefer another topic, which takes exploration."""

    max_steps: int = option(100, "time limit of a session in steps; no user leaves earlier", ge=1)
    topic_distribution: list[float] = option([0.2, 0.8], "share of the documents of each topic", gt=0.0)
    topic_quality_mean: list[float] = option([0.8, 0.2], "mean of the logarithm of a document's quality, for each topic")
    topic_quality_stddev: list[float] = option([0.1, 0.1], "standard deviation of that logarithm, for each topic", ge=0.0)
    user_type_distribution: list[float] = option([0.3, 0.7], "share of the users of each type", gt=0.0)
    # `contradictions` checks that these are lists of numbers: OmegaConf would refuse whole numbers in a list of lists of floats
    user_document_mean_affinity_matrix: list[Any] = option(
        [[0.1, 0.7], [0.7, 0.1]], "mean of the logarithm of a user type's affinity to a topic, one row per type"
    )
    user_document_stddev_affinity_matrix: list[Any] = option(
        [[0.1, 0.1], [0.1, 0.1]], "standard deviation of that logarithm, one row per type"
    )
    choice_model: str = option(
        "multinomial_logit",
        "how the user chooses from a slate by affinity and quality",
        choices=["multinomial_logit", "multinomial_proportional", "cascade", "exponential_cascade", "proportional_cascade"],
    )
    no_click_mass: float = option(5.0, "score of clicking nothing, in the multinomial models")

    def contradictions(self) -> Iterator[str]:
        """Refuse shares that do not add up to 1, and lists and matrices of different sizes."""
        topics, types = len(self.topic_distribution), len(self.user_type_distribution)
        for name in ("topic_distribution", "user_type_distribution"):
            total = sum(getattr(self, name))
            if abs(total - 1.0) > 1e-6:
                yield f"environment.{name} must add up to 1, not to {total:g}"
        for name in ("topic_quality_mean", "topic_quality_stddev"):
            found = len(getattr(self, name))
            if found != topics:
                yield f"environment.{name} has {found} entries, but environment.topic_distribution has {topics}; the numbers must be equal"
        for name in ("user_document_mean_affinity_matrix", "user_document_stddev_affinity_matrix"):
            rows = getattr(self, name)
            fits = len(rows) == types and all(isinstance(row, list) and len(row) == topics and all(map(_is_number, row)) for row in rows)
            if not fits:
                yield f"environment.{name} must have {types} rows (user types) of {topics} numbers (topics), not {rows}"
            elif "stddev" in name and min(map(min, rows)) < 0:
                yield f"environment.{name} holds a negative number; standard deviations are 0 or more"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass
class LongTermSatisfactionConfig(RecSimConfig):
    """RecSim's long_term_satisfaction: clickbait engages more now, and reduces the satisfaction on which all engagement depends."""

    max_steps: int = option(1_000, "time limit of a session in steps; the default is longer than the time budget", ge=1)
    memory_discount: float = option(0.7, "share of the net positive exposure that is left after a step", ge=0.0, lt=1.0)
    sensitivity: float = option(0.01, "how steeply satisfaction depends on net positive exposure", ge=0.0)
    innovation_stddev: float = option(0.05, "standard deviation of the noise in net positive exposure", ge=0.0)
    choc_mean: float = option(5.0, "mean log-engagement of pure clickbait, at full satisfaction")
    choc_stddev: float = option(1.0, "its standard deviation", ge=0.0)
    kale_mean: float = option(4.0, "mean log-engagement of no clickbait, at full satisfaction")
    kale_stddev: float = option(1.0, "its standard deviation", ge=0.0)
    time_budget: int = option(60, "steps that a user has for a session", ge=1)
