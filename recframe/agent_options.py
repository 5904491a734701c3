"""Options that several families of agents share, as base classes of their configs. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class ReplayConfig:
    """The size of the replay memory, and how often the agent learns from it."""

    batch_size: int = option(256, "transitions per update", ge=1)
    replay_capacity: int = option(50_000, "largest number of transitions in the replay memory", ge=1)
    learning_starts: int = option(1_000, "transitions collected before the first update", ge=1)
    updates_per_chunk: int = option(16, "updates after each collected chunk", ge=1, le=100_000)

    def contradictions(self) -> Iterator[str]:
        """The memory must be large enough for learning to start."""
        if self.learning_starts > self.replay_capacity:
            yield (
                f"agent.learning_starts ({self.learning_starts}) must not exceed agent.replay_capacity ({self.replay_capacity}): "
                "learning would never start"
            )


@dataclass
class WorkingSetConfig:
    """How much of a catalogue is used in training."""

    whole_catalog_items: int = option(
        5_000, "largest catalogue used whole in training; of a larger one, training uses working sets (evaluation always uses all)", ge=1
    )
    working_items: int = option(
        2_048,
        "items in a working set: up to half of them shown recently, the others random; the cost of a chunk or an update grows with it",
        ge=2,
    )
