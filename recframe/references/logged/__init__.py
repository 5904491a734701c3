"""Recommenders that are fitted to a log once: the references of tables of rankings, and the maths of the baseline agents."""

from recframe.references.logged.content_cosine import ContentCosine
from recframe.references.logged.counted import history_weights, interaction_matrix
from recframe.references.logged.counts import Counts
from recframe.references.logged.ease import EASE, ease_weights
from recframe.references.logged.item_knn import ItemKNN
from recframe.references.logged.item_neighbors import item_neighbors
from recframe.references.logged.references import RandomRanker, ScorerRanker, logged_references
from recframe.references.logged.scorer import LogScorer
from recframe.references.logged.user_knn import UserKNN

__all__ = [
    "EASE",
    "ContentCosine",
    "Counts",
    "ItemKNN",
    "LogScorer",
    "RandomRanker",
    "ScorerRanker",
    "UserKNN",
    "ease_weights",
    "history_weights",
    "interaction_matrix",
    "item_neighbors",
    "logged_references",
]
