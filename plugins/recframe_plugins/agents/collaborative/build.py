"""The agents of this family from their configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recframe.components import require_consistent
from recframe.interfaces import EnvironmentSpec, StateTracker
from recframe.references.logged import EASE, ContentCosine, ItemKNN, UserKNN
from recframe_plugins.agents.baselines.config import ContentCosineConfig
from recframe_plugins.agents.collaborative.als import ALS
from recframe_plugins.agents.collaborative.bpr import BPR
from recframe_plugins.agents.collaborative.config import ALSConfig, BPRConfig, EASEConfig, HybridConfig, ItemKNNConfig, UserKNNConfig
from recframe_plugins.agents.collaborative.hybrid import Hybrid
from recframe_plugins.agents.collaborative.scorer_agent import ScorerAgent


def build_item_knn(config: ItemKNNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`ItemKNN` as an agent."""
    scorer = ItemKNN(spec, shrinkage=config.shrinkage, neighbors=config.neighbors, weights=config.weights, decay=config.decay)
    return ScorerAgent(scorer, seed, config.repeats)


def build_user_knn(config: UserKNNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`UserKNN` as an agent."""
    scorer = UserKNN(spec, shrinkage=config.shrinkage, neighbors=config.neighbors, weights=config.weights, decay=config.decay)
    return ScorerAgent(scorer, seed, config.repeats)


def build_ease(config: EASEConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`EASE` as an agent."""
    size, decay = config.max_items, config.decay
    scorer = EASE(spec, regularization=config.regularization, max_items=size, weights=config.weights, decay=decay)
    return ScorerAgent(scorer, seed, config.repeats)


def build_content_cosine(config: ContentCosineConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`ContentCosine` as an agent; it learns nothing, and reads popularity from the catalogue.

    Raises
    ------
    ValueError: no text is read.
    """
    catalog = state_tracker.data.catalog
    assert catalog.text_vectors is not None  # a state tracker has checked it
    scorer = ContentCosine(spec, catalog.text_vectors, weights=config.weights, decay=config.decay)
    scorer.set_popularity(catalog.popularity)
    return ScorerAgent(scorer, seed, config.repeats, learns=False)


def build_als(config: ALSConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`ALS` as an agent."""
    return ScorerAgent(ALS(config, spec, seed), seed, config.repeats)


def build_bpr(config: BPRConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`BPR` as an agent."""
    return ScorerAgent(BPR(config, spec, seed), seed, config.repeats)


PARTS: Mapping[str, tuple[Callable[..., ScorerAgent], type[Any]]] = {
    "item_knn": (build_item_knn, ItemKNNConfig),
    "user_knn": (build_user_knn, UserKNNConfig),
    "ease": (build_ease, EASEConfig),
    "als": (build_als, ALSConfig),
    "bpr_mf": (build_bpr, BPRConfig),
    "content_cosine": (build_content_cosine, ContentCosineConfig),
}


def build_hybrid(config: HybridConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> ScorerAgent:
    """`Hybrid` as an agent.

    Raises
    ------
    ValueError: the parts contradict each other, or one of them cannot be built.
    """
    require_consistent(config)
    parts = {}
    for name in config.parts:
        build, options = PARTS[name]
        parts[name] = build(options(weights=config.weights), spec, state_tracker, seed=seed).scorer
    return ScorerAgent(Hybrid(spec, parts, config.max_queries, seed, config.weights), seed, config.repeats)
