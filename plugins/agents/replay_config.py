"""Options of every agent that learns from a replay memory; light, so that composing a config imports no torch."""

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
