"""Evaluation on logs: policies rank the whole catalogue for held-out queries."""

from recframe.evaluation.ranking.evaluation import evaluate_ranking, ranking_means
from recframe.evaluation.ranking.lists import Ranker, RankingError

__all__ = ["Ranker", "RankingError", "evaluate_ranking", "ranking_means"]
