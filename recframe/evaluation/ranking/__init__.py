"""Evaluation on logs: policies rank the whole catalogue for held-out queries."""

from recframe.evaluation.ranking.evaluation import evaluate_ranking, ranking_means
from recframe.evaluation.ranking.lists import RankingError

__all__ = ["RankingError", "evaluate_ranking", "ranking_means"]
