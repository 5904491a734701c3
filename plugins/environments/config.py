"""What the built-in environments are called, what can be chosen about them, and what they need and give."""

from collections.abc import Callable
from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl
from recframe_plugins.environments.gymnasium_config import GymnasiumConfig
from recframe_plugins.environments.recsim_config import InterestEvolutionConfig, InterestExplorationConfig, LongTermSatisfactionConfig
from recframe_plugins.environments.session_config import BoredomConfig, ProtocolConfig, SessionConfig


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


@dataclass
class PreferenceModelConfig(BoredomConfig):
    """Users who respond as a matrix factorization of the logged ratings predicts, and who tire of repetition."""

    feedback: str = option("rating", "logged feedback column that holds the ratings")
    model_seed: int = option(0, "fixes the fit, the held-out ratings and who is kept for evaluation", ge=0)
    factors: int = option(8, "length of the user and item factors; 0: biases only", ge=0)
    regularization: float = option(25.0, "L2 penalty on the factors", gt=0.0)
    bias_regularization: float = option(2.0, "L2 penalty on the biases, also those of the biases-only baseline", gt=0.0)
    iterations: int = option(15, "alternating least squares sweeps over users and items", ge=1)
    holdout: float = option(0.1, "share of ratings held out to score the model, which is then refitted on all; 0: no score", ge=0.0, lt=1.0)
    similarity: str = option("text", "what makes items alike in boredom: their text vectors or fitted factors", choices=["text", "factors"])
    similarity_dims: int = option(32, "leading principal components kept of these vectors", ge=1)
    rating_noise: float = option(0.5, "standard deviation of a rating's noise, in standard deviations of predicted ratings", ge=0.0)
    taste_weight: float = option(1.5, "utility of one standard deviation of predicted rating", gt=0.0)
    threshold: float = option(2.0, "utility at which a click is as likely as not")


@dataclass
class RatingMatrixConfig(ProtocolConfig, SessionConfig):
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


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the built-in environments."""

    def simulator(name: str, config: type, implementation: str, signals: str, *tags: str, requires: str, also: str = "") -> None:
        provides = {"actions:items", "slates", "truth", *(f"signal:{signal}" for signal in signals.split()), *tags}
        factory = f"recframe_plugins.environments.{name}:{implementation}"
        register(Component(Kind.ENVIRONMENT, name, config, factory, provides=provides, requires={requires, *also.split()}))

    topics = "attribute:{topic_attribute}"
    simulator("topic_world", TopicWorldConfig, "TopicWorld", "click rating", "context?says", requires=topics, also="utterances?says")
    simulator("preference_model", PreferenceModelConfig, "PreferenceModel", "click rating", requires="interactions")
    simulator("rating_matrix", RatingMatrixConfig, "RatingMatrix", "click rating purchase", requires="rating_matrix")
    shown = "features?observe_interests"
    simulator("interest_evolution", InterestEvolutionConfig, "InterestEvolution", "click dwell", shown, requires=topics)
    simulator("interest_exploration", InterestExplorationConfig, "InterestExploration", "click", requires=topics)
    simulator("long_term_satisfaction", LongTermSatisfactionConfig, "LongTermSatisfaction", "click dwell", requires=topics)
    register(
        Component(
            Kind.ENVIRONMENT,
            "gymnasium",
            GymnasiumConfig,
            "recframe_plugins.environments.gymnasium_environment:GymnasiumEnvironment",
            provides={"signal:reward", "actions:items", "actions:continuous", "catalog", "features"},
        )
    )
