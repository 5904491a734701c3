"""Options of soft actor-critic over items; light, so that composing a config imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import option


@dataclass
class SoftActorCriticConfig(WorkingSetConfig, ReplayConfig):
    """Soft actor-critic over items: a random policy, as random as asked for, and twin critics (Christodoulou, 2019)."""

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(5e-4, "Adam's step size for critics, policy and temperature", gt=0)
    target_update_rate: float = option(0.005, "how far the target critics move after each update (tau)", gt=0, le=1)
    target_entropy: float = option(0.25, "entropy that the policy is held to, as a share of that of uniformly random items", gt=0, lt=1)
    initial_temperature: float = option(0.1, "worth of a nat of entropy at first (alpha); learned from then on", gt=0)
