"""Registers the built-in environments. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.none.config import NoEnvironmentConfig
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.recsim.config import InterestEvolutionConfig, InterestExplorationConfig, LongTermSatisfactionConfig
from recframe_plugins.environments.topic_world.config import TopicWorldConfig

TOPIC_ATTRIBUTE_NEEDED = "attribute:{topic_attribute}"
SAYS = ("says?says", "context?says")
QUESTIONS = ("questions?questions", "signal:answer?questions", "context?questions=free")


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the built-in environments."""

    def simulator(
        name: str, config: type, implementation: str, signals: str, *tags: str, requires: frozenset[str], state_tracker: str | None = None
    ) -> None:
        provides = frozenset(
            {
                "actions:items",
                "slates",
                "truth",
                "divides_users",
                "groups?group_size>1",
                *(f"signal:{signal}" for signal in signals.split()),
                *tags,
            }
        )
        factory = f"recframe_plugins.environments.{implementation}"
        register(Component(Kind.ENVIRONMENT, name, config, factory, provides=provides, requires=requires, state_tracker=state_tracker))

    simulator(
        "topic_world",
        TopicWorldConfig,
        "topic_world.topic_world:TopicWorld",
        "click rating",
        *SAYS,
        *QUESTIONS,
        requires=frozenset({TOPIC_ATTRIBUTE_NEEDED, "utterances?says", "utterances?questions=free"}),
    )
    simulator(
        "preference_model",
        PreferenceModelConfig,
        "preference_model.preference_model:PreferenceModel",
        "click rating",
        requires=frozenset({"interactions"}),
    )
    simulator(
        "rating_matrix",
        RatingMatrixEnvironmentConfig,
        "rating_matrix.rating_matrix:RatingMatrixEnvironment",
        "click rating purchase",
        requires=frozenset({"rating_matrix"}),
        # of people whose every rating is known, what they say is the best evidence of their tastes
        state_tracker="posterior",
    )
    simulator(
        "interest_evolution",
        InterestEvolutionConfig,
        "recsim.interest_evolution:InterestEvolution",
        "click dwell",
        "features?observe_interests",
        requires=frozenset({TOPIC_ATTRIBUTE_NEEDED}),
    )
    simulator(
        "interest_exploration",
        InterestExplorationConfig,
        "recsim.interest_exploration:InterestExploration",
        "click",
        requires=frozenset({TOPIC_ATTRIBUTE_NEEDED}),
    )
    simulator(
        "long_term_satisfaction",
        LongTermSatisfactionConfig,
        "recsim.long_term_satisfaction:LongTermSatisfaction",
        "click dwell",
        requires=frozenset({TOPIC_ATTRIBUTE_NEEDED}),
    )
    register(
        Component(
            Kind.ENVIRONMENT,
            "gymnasium",
            GymnasiumConfig,
            "recframe_plugins.environments.gymnasium.environment:GymnasiumEnvironment",
            provides=frozenset({"signal:reward", "actions:items", "actions:continuous", "catalog", "features"}),
        )
    )
    register(
        Component(
            Kind.ENVIRONMENT,
            "language_users",
            LanguageUsersConfig,
            "recframe_plugins.environments.language_users.language_users:LanguageUsers",
            provides=frozenset({"actions:items", "slates", "signal:click", "signal:rating", *SAYS, "asks_model", *QUESTIONS}),
            requires=frozenset({TOPIC_ATTRIBUTE_NEEDED}),
        )
    )
    register(
        Component(
            Kind.ENVIRONMENT,
            "none",
            NoEnvironmentConfig,
            "recframe_plugins.environments.none.no_environment:NoEnvironment",
            provides=frozenset({"actions:items", "signal:click", "signal:*", "no_simulator"}),
            requires=frozenset({"interactions"}),
        )
    )
