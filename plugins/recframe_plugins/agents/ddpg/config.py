"""Options of DDPG, TD3 and Wolpertinger. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import MemoryNeed, Sizes, layer_weights, option


@dataclass
class DDPGConfig(WorkingSetConfig, ReplayConfig):
    """Deep deterministic policy gradient (Lillicrap et al., 2016); over items, Wolpertinger (Dulac-Arnold et al., 2015).

    Inherited from `ReplayConfig`: batch_size, replay_capacity, learning_starts, updates_per_chunk.
    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    critic_learning_rate: float = option(1e-3, "Adam's step size for the critics", gt=0, le=10)
    actor_learning_rate: float = option(1e-3, "Adam's step size for the actor", gt=0, le=10)
    hidden_sizes: list[int] = option([128], "sizes of the hidden layers of actor and critics", ge=1)
    target_update_rate: float = option(0.005, "how far each update moves the target networks (tau)", gt=0, le=1)
    random_steps: int = option(1_000, "user-steps of uniformly random actions at the start", ge=0)
    exploration_noise: float = option(
        0.1,
        "standard deviation of the exploration noise: of each number of an action in -1 to 1; over items, of the proposal, of length 1",
        ge=0,
    )
    critics: int = option(1, "number of critics; targets use the smallest of their values: 1, or 2 as in TD3", ge=1, le=2)
    actor_interval: int = option(1, "critic updates for each update of the actor and the target networks", ge=1)
    target_noise: float = option(0.0, "standard deviation of the noise on the target's action, in the unit of exploration_noise", ge=0)
    target_noise_clip: float = option(0.5, "limit of that noise, in the same unit", gt=0)
    epsilon: float = option(0.1, "items: probability of a random slate in exploration", ge=0, le=1)
    neighbors: int = option(32, "items: number of items near the actor's proposal among which the critic chooses (k)", ge=1)
    index: str = option(
        "exact",
        "items: search for those items exactly, or in an approximate index (needs recframe[faiss])",
        choices=["exact", "approximate"],
    )
    index_interval: int = option(100, "items: updates after which the index is rebuilt from the current item vectors", ge=1)
    index_probes: int = option(16, "items: lists of the approximate index that are searched, of about sqrt(number of items)", ge=1)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights between the hidden layers of one network."""
        yield layer_weights("agent.hidden_sizes", self.hidden_sizes)
