"""Experience: collecting steps in an environment, computing their rewards, storing them, and making training batches of them."""

from recframe.experience.batch_sources import BatchSource, ReplayBatches, RolloutBatches, batch_source_for
from recframe.experience.cold_items import ColdItems, ColdItemsError, EnvironmentWithoutItems, sharing_exclusions
from recframe.experience.collector import Collector
from recframe.experience.logged_replay import LoggedReplay
from recframe.experience.logged_rewards import with_rewards
from recframe.experience.logged_stream import LoggedStream
from recframe.experience.never_asked import items_of, never_asked
from recframe.experience.replay import ReplayMemory
from recframe.experience.rewards import RewardOutcome, RewardSum
from recframe.experience.streams import SimulatedStream, Stream

__all__ = [
    "BatchSource",
    "ColdItems",
    "ColdItemsError",
    "Collector",
    "EnvironmentWithoutItems",
    "LoggedReplay",
    "LoggedStream",
    "ReplayBatches",
    "ReplayMemory",
    "RewardOutcome",
    "RewardSum",
    "RolloutBatches",
    "SimulatedStream",
    "Stream",
    "batch_source_for",
    "items_of",
    "never_asked",
    "sharing_exclusions",
    "with_rewards",
]
