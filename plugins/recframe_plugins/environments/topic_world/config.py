"""Options of the environment topic_world. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.environments.simulation.config import BoredomConfig


@dataclass
class TopicWorldConfig(BoredomConfig):
    """Users with hidden tastes over the catalogue's topics, which drift with what they consume and tire of repetition."""

    topic_attribute: str = option("topics", "catalogue (and user) attribute that lists topics")
    weight_attribute: str = option("topic_weights", "optional attribute that lists a weight for each of these topics")
    world_seed: int = option(0, "fixes the hidden world: item quality, generated people and who is kept for evaluation", ge=0)
    quality_weight: float = option(0.5, "weight of an item's hidden quality (standard normal) in the utility", ge=0.0)
    drift: float = option(0.05, "how far one click moves the taste towards the item's topics", ge=0.0)
    session_noise: float = option(0.1, "standard deviation, in length, of a session's taste around the person's", ge=0.0)
    taste_concentration: float = option(0.3, "Dirichlet concentration of generated people's tastes; small: few topics each", gt=0.0)
    rating_noise: float = option(0.5, "standard deviation of the noise in the utility that a rating is given by", ge=0.0)
    mood_weight: float = option(0.0, "weight in the utility of the topic that people are in the mood for; 0: there are no moods", ge=0.0)
    mood_change: float = option(0.05, "probability in each step of another mood", ge=0.0, le=1.0)
    mood_by_time: float = option(1.0, "how far the time of day decides moods; 0: all are as likely at all times", ge=0.0)
    says: bool = option(False, "with each visit people say a text of the dataset: time of day, how they liked the slate, what they want")
    felt_margin: float = option(0.2, "clicked share less boredom of a slate from which people speak well of it, and less which ill", ge=0.0)
