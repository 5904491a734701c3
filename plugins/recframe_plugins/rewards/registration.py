"""Registers the built-in rewards. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.rewards.config import (
    ClickConfig,
    DiversityConfig,
    DwellConfig,
    EnvironmentRewardConfig,
    FairnessConfig,
    NoveltyConfig,
    PurchaseConfig,
    QuestionCostConfig,
    RatingConfig,
    RepetitionConfig,
    RetentionConfig,
    SentimentConfig,
    SerendipityConfig,
    SkipConfig,
)
from recframe_plugins.rewards.judge.config import JudgeConfig


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the built-in rewards."""
    items, itemwise = "actions:items", {"itemwise"}
    said = {"says", "label:{label}={positive}", "label:{label}={negative}"}
    for name, config, implementation, requires, provides in (
        ("click", ClickConfig, "click:Click", {"signal:click"}, itemwise),
        ("skip", SkipConfig, "skip:Skip", {"signal:click"}, itemwise),
        ("rating", RatingConfig, "rating:Rating", {"signal:rating"}, itemwise),
        ("dwell", DwellConfig, "dwell:Dwell", {"signal:dwell"}, itemwise),
        ("purchase", PurchaseConfig, "purchase:Purchase", {"signal:purchase"}, itemwise),
        ("environment", EnvironmentRewardConfig, "environment:EnvironmentReward", {"signal:reward"}, itemwise),
        ("diversity", DiversityConfig, "diversity:Diversity", {items}, set()),
        ("novelty", NoveltyConfig, "novelty:Novelty", {items}, itemwise),
        ("serendipity", SerendipityConfig, "serendipity:Serendipity", {items, "signal:click"}, set()),
        ("repetition", RepetitionConfig, "repetition:Repetition", {items}, set()),
        ("sentiment", SentimentConfig, "sentiment:Sentiment", said, set()),
        ("judge", JudgeConfig, "judge.judge:Judge", {items}, {"asks_model"}),
        ("question_cost", QuestionCostConfig, "question_cost:QuestionCost", {items, "questions"}, set()),
        ("retention", RetentionConfig, "retention:Retention", set(), set()),
        ("fairness", FairnessConfig, "fairness:Fairness", {items, "attribute:{attribute}"}, {"compares_users"}),
    ):
        factory = f"recframe_plugins.rewards.{implementation}"
        register(Component(Kind.REWARD, name, config, factory, provides=frozenset(provides), requires=frozenset(requires)))
