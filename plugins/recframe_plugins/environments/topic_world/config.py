"""Options of the environment topic_world. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option, seed_option
from recframe_plugins.environments.simulation.config import BoredomConfig, QuestionConfig


@dataclass
class TopicWorldConfig(QuestionConfig, BoredomConfig):
    """Users with hidden tastes over the catalogue's topics. Tastes drift with the items clicked, and users tire of repetition."""

    topic_attribute: str = option("topics", "catalogue (and user) attribute that lists topics")
    weight_attribute: str = option("topic_weights", "optional attribute that lists a weight for each of these topics")
    world_seed: int = seed_option(0, "seed of the hidden world: item quality, generated people and the evaluation split of the people")
    quality_weight: float = option(0.5, "weight of an item's hidden quality (standard normal) in the utility", ge=0.0)
    drift: float = option(0.05, "distance by which one click moves the taste towards the item's topics", ge=0.0)
    session_noise: float = option(
        0.1, "standard deviation (of the length) of the taste in a session around the taste of the person", ge=0.0
    )
    taste_concentration: float = option(0.3, "Dirichlet concentration of the tastes of generated people; small: few topics each", gt=0.0)
    rating_noise: float = option(0.5, "standard deviation of the noise in the utility that determines a rating", ge=0.0)
    mood_weight: float = option(0.0, "weight, in the utility, of the topic that people are in the mood for; 0: no moods", ge=0.0)
    mood_change: float = option(0.05, "probability of a new mood in each step", ge=0.0, le=1.0)
    mood_by_time: float = option(1.0, "how strongly the time of day determines moods; 0: all moods are equally likely at all times", ge=0.0)
    says: bool = option(False, "in each step people say a text of the dataset: the time of day, how they liked the slate, what they want")
    felt_margin: float = option(
        0.2,
        "people speak well of a slate if its clicked share minus its boredom exceeds this margin, and badly below minus the margin",
        ge=0.0,
    )
    question_topics: int | None = option(None, "how many of the most frequent topics may be asked about; null: all", ge=1)
    answer_noise: float = option(0.05, "probability of a yes or no that is not what the person wants", ge=0.0, le=0.5)
    question_patience_cost: float = option(
        0.05, "share of the full patience that a question costs; by default that of a slate without a click", ge=0.0
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse settings of questions that nobody asks."""
        for name in ("question_topics", "answer_noise", "question_patience_cost"):
            asked = bool(self.questions) if name == "question_patience_cost" else "attributes" in self.questions
            if not asked and getattr(self, name) != type(self).__dataclass_fields__[name].default:
                needed = "questions" if name == "question_patience_cost" else "questions=[attributes]"
                yield f"environment.{name} has no meaning without environment.{needed}; ask, or leave it at its default"
