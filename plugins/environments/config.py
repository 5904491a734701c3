"""What the built-in environments are called, what can be chosen about them, and what they need and give."""

from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl


@dataclass
class SessionConfig:
    """Options that every simulated session has; the equations are in `sessions.py`."""

    num_users: int = option(128, "users simulated at once in training (N)", ge=1)
    slate_size: int = option(1, "items shown at once (K)", ge=1)
    max_steps: int = option(50, "time limit of a session in steps (slates shown)", ge=1)
    num_candidates: int = option(0, "items that may be shown to a user in a step, drawn afresh each step; 0: the whole catalogue", ge=0)
    evaluation_share: float = option(0.2, "share of the people who are met only in evaluation", gt=0.0, lt=1.0)
    taste_weight: float = option(5.0, "weight of the match of taste and item in the utility", gt=0.0)
    threshold: float = option(2.5, "utility at which a click is as likely as not")
    boredom_weight: float = option(4.0, "how much utility an item loses whose like is all that was shown lately", ge=0.0)
    boredom_memory: float = option(0.8, "share of the memory of what was shown that is left after one step", ge=0.0, lt=1.0)
    repeat_penalty: float = option(2.0, "how much utility an item loses that was itself shown lately", ge=0.0)
    repeat_window: int = option(20, "how many of the last shown items count as lately", ge=1)
    patience_cost: float = option(0.05, "share of the full patience that a slate without a click costs", ge=0.0)
    patience_recovery: float = option(0.1, "share of the full patience that a slate clicked throughout gives back", ge=0.0)
    patience_boredom_cost: float = option(0.1, "share of the full patience that a wholly boring slate costs", ge=0.0)
    leave_rate: float = option(0.3, "probability of leaving after a step once no patience is left", ge=0.0, le=1.0)


@dataclass
class TopicWorldConfig(SessionConfig):
    """Users with hidden tastes over the catalogue's topics, which drift with what they consume and tire of repetition."""

    topic_attribute: str = option("topics", "catalogue (and user) attribute that lists topics")
    weight_attribute: str = option("topic_weights", "optional attribute that lists a weight for each of these topics")
    world_seed: int = option(0, "fixes the hidden world: item quality, generated people and who is kept for evaluation", ge=0)
    quality_weight: float = option(0.5, "weight of an item's hidden quality (standard normal) in the utility", ge=0.0)
    drift: float = option(0.05, "how far one click moves the taste towards the item's topics", ge=0.0)
    session_noise: float = option(0.1, "standard deviation, in length, of a session's taste around the person's", ge=0.0)
    taste_concentration: float = option(0.3, "Dirichlet concentration of generated people's tastes; small: few topics each", gt=0.0)
    rating_noise: float = option(0.5, "standard deviation of the noise in the utility that a rating is given by", ge=0.0)


@dataclass
class PreferenceModelConfig(SessionConfig):
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


@hookimpl
def recframe_register_components(register):
    """Register the built-in environments."""
    provides = {"signal:click", "signal:rating", "actions:items", "slates", "truth"}
    register(
        Component(
            Kind.ENVIRONMENT,
            "topic_world",
            TopicWorldConfig,
            "recframe_plugins.environments.topic_world:TopicWorld",
            provides=provides,
            requires={"attribute:{topic_attribute}"},
        )
    )
    register(
        Component(
            Kind.ENVIRONMENT,
            "preference_model",
            PreferenceModelConfig,
            "recframe_plugins.environments.preference_model:PreferenceModel",
            provides=provides,
            requires={"interactions"},
        )
    )
