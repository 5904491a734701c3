"""Where training batches come from: collecting steps, scoring them, remembering them."""

from recframe.experience.cold_items import ColdItemsError, Restricted, cold_items, require_enough, require_items
from recframe.experience.collector import Collector
from recframe.experience.replay import ReplayMemory
from recframe.experience.rewards import RewardOutcome, RewardSum
from recframe.experience.sources import ReplaySource, RolloutSource, Source, source_for

__all__ = [
    "ColdItemsError",
    "Collector",
    "ReplayMemory",
    "ReplaySource",
    "Restricted",
    "RewardOutcome",
    "RewardSum",
    "RolloutSource",
    "Source",
    "cold_items",
    "require_enough",
    "require_items",
    "source_for",
]
