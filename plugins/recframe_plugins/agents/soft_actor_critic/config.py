"""Options of soft actor-critic over items. Imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import option


@dataclass
class SoftActorCriticConfig(WorkingSetConfig, ReplayConfig):
    """Soft actor-critic over items: a softmax policy of a given entropy, and two critics (Christodoulou, 2019).

    Inherited from `ReplayConfig`: batch_size, replay_capacity, learning_starts, updates_per_chunk.
    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(5e-4, "Adam's step size for critics, policy and temperature", gt=0, le=10)
    target_update_rate: float = option(0.005, "how far each update moves the target critics (tau)", gt=0, le=1)
    target_entropy: float = option(0.25, "target of the policy's entropy, as a share of that of uniformly random items", gt=0, lt=1)
    initial_temperature: float = option(0.1, "weight of the entropy, in nats, at the start (alpha); then it is learned", gt=0)
