"""Options that several families of agents share, as base classes for their configs. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class ReplayConfig:
    """How much is remembered, and how often it is learned from."""

    batch_size: int = option(256, "transitions in an update", ge=1)
    replay_capacity: int = option(50_000, "transitions that the replay memory holds", ge=1)
    learning_starts: int = option(1_000, "transitions collected before the first update", ge=1)
    updates_per_chunk: int = option(16, "updates after each collected chunk", ge=1)

    def contradictions(self) -> Iterator[str]:
        """A memory that never holds enough to begin."""
        if self.learning_starts > self.replay_capacity:
            yield (
                f"agent.learning_starts ({self.learning_starts}) must not exceed agent.replay_capacity ({self.replay_capacity}): "
                "learning would never start"
            )


@dataclass
class WorkingSetConfig:
    """How much of a catalogue training looks at."""

    whole_catalog_items: int = option(
        5_000, "largest catalogue that training looks at whole; of a larger one it looks at working sets (evaluation always at all)", ge=1
    )
    working_items: int = option(
        2_048,
        "items in a working set, up to half of them shown lately, the others random: what a chunk or an update costs grows with it",
        ge=2,
    )
