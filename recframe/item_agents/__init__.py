"""Building blocks for agents that choose items: the names that third-party plugins may rely on.

An `ItemAgent` is handed the `Items` to decide or learn over: a whole catalogue, or a `WorkingSet` of a large one. It scores them with
a `QNetwork` or an `ItemPolicy`, or with any `ItemScores` of its own, and finds the best ones with `search_items`, or those near a point
with an `ItemIndex`. Options of such agents are in `recframe.agent_options`, which imports no torch.
"""

from recframe.item_agents.exploration import epsilon_greedy, linear_schedule, random_log_prob
from recframe.item_agents.index import ExactIndex, ItemIndex, build_index, nearest_items, recall
from recframe.item_agents.item_agent import ItemAgent
from recframe.item_agents.item_columns import CandidateColumns, ItemColumns, ItemRange
from recframe.item_agents.item_scores import QNetwork, QueryScores, QValues
from recframe.item_agents.next_item import Negatives, NegativeSampler, gbce, gbce_beta, renumbered, sampled_cross_entropy
from recframe.item_agents.optimization import TargetUpdate, adam
from recframe.item_agents.prior_scores import PriorScores, PriorWeight
from recframe.item_agents.search import BestItems, ItemScores, as_ranking, rank_items, search_items
from recframe.item_agents.softmax_policy import (
    ItemPolicy,
    PolicyScores,
    SlateProbability,
    allowed_columns,
    allowed_scores,
    draw_slate,
    log_probability,
    slate_probability,
    weighted,
)
from recframe.item_agents.working_set import Items, WorkingSet

__all__ = [
    "BestItems",
    "CandidateColumns",
    "ExactIndex",
    "ItemAgent",
    "ItemColumns",
    "ItemIndex",
    "ItemPolicy",
    "ItemRange",
    "ItemScores",
    "Items",
    "NegativeSampler",
    "Negatives",
    "PolicyScores",
    "PriorScores",
    "PriorWeight",
    "QNetwork",
    "QValues",
    "QueryScores",
    "SlateProbability",
    "TargetUpdate",
    "WorkingSet",
    "adam",
    "allowed_columns",
    "allowed_scores",
    "as_ranking",
    "build_index",
    "draw_slate",
    "epsilon_greedy",
    "gbce",
    "gbce_beta",
    "linear_schedule",
    "log_probability",
    "nearest_items",
    "random_log_prob",
    "rank_items",
    "recall",
    "renumbered",
    "sampled_cross_entropy",
    "search_items",
    "slate_probability",
    "weighted",
]
