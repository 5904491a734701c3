"""Options of DDPG and of what makes TD3 of it; light, so that composing a config imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import option


@dataclass
class DDPGConfig(WorkingSetConfig, ReplayConfig):
    """Deterministic policy gradients (Lillicrap et al., 2016), for items by way of their vectors (Dulac-Arnold et al., 2015)."""

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    critic_learning_rate: float = option(1e-3, "Adam's step size for the critics", gt=0)
    actor_learning_rate: float = option(1e-3, "Adam's step size for the actor", gt=0)
    hidden_sizes: list[int] = option([128], "sizes of the layers between a state and an action, and between both and their value", ge=1)
    target_update_rate: float = option(0.005, "how far the target networks move each time (tau)", gt=0, le=1)
    random_steps: int = option(1_000, "user-steps of uniformly random actions at first", ge=0)
    exploration_noise: float = option(
        0.1, "standard deviation of exploration's noise: of each number of an action, from -1 to 1; of an item proposal of length 1", ge=0
    )
    critics: int = option(1, "critics, of which targets take the smallest value: 1, or the 2 of TD3", ge=1, le=2)
    actor_interval: int = option(1, "updates of the critics for one of actor and targets", ge=1)
    target_noise: float = option(0.0, "standard deviation of the noise on the target's action, in the unit of exploration_noise", ge=0)
    target_noise_clip: float = option(0.5, "largest such noise, in the same unit", gt=0)
    epsilon: float = option(0.1, "items: probability of a random slate in exploring", ge=0, le=1)
    neighbors: int = option(32, "items: how many near the actor's proposal the critic chooses among (k)", ge=1)
    index: str = option(
        "exact", "items: find those by exact search, or by an inverted file (needs recframe[faiss])", choices=["exact", "approximate"]
    )
    index_interval: int = option(100, "items: updates after which they are indexed anew, their vectors having moved", ge=1)
    index_probes: int = option(16, "items: lists of the inverted file searched, of about the square root of the catalogue's size", ge=1)
