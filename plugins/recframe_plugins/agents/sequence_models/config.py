"""Options of the sequence models. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.agent_options import WorkingSetConfig
from recframe.components import FLOAT, MemoryNeed, Sizes, option


@dataclass
class SequenceModelConfig(WorkingSetConfig):
    """A model of the next item on any state tracker, learned from sequences of logged interactions.

    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    batch_size: int = option(128, "sequences per update", ge=1)
    sequence_length: int | None = option(
        None, "items of a sequence that an update reads, each of which predicts the next one; null: state_tracker.history_length", ge=1
    )
    learning_rate: float = option(1e-3, "Adam's step size", gt=0, le=10)
    loss: str = option(
        "full",
        "full: cross-entropy over the whole catalogue; sampled: the same, estimated from negatives; gbce: binary cross-entropy with "
        "negatives, corrected for overconfidence (gSASRec)",
        choices=["full", "sampled", "gbce"],
    )
    negatives: int = option(256, "sampled, gbce: items drawn for an update, which all its places share", ge=1)
    negatives_popularity: float = option(
        0.0, "sampled: the power of the popularity in proportion to which negatives are drawn; 0: uniformly", ge=0, le=1
    )
    calibration: float = option(
        0.75, "gbce: how far the probabilities are calibrated (t); 0: binary cross-entropy, 1: fully calibrated", ge=0, le=1
    )
    masked_share: float = option(
        0.0,
        "share of the items that are masked and predicted from both sides (BERT4Rec); 0: each item is predicted from those before it",
        ge=0,
        lt=1,
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse popular negatives for a loss that is derived for uniform ones, and sequences that masked items could not be read in."""
        if self.negatives_popularity and self.loss != "sampled":
            yield f"agent.negatives_popularity is for agent.loss=sampled, not {self.loss}: set one or the other"
        if self.masked_share and self.sequence_length is not None:
            yield (
                "agent.sequence_length is for predicting the next item: with agent.masked_share, a sequence is read whole, with "
                "state_tracker.history_length items; set agent.sequence_length=null"
            )

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The items of a batch, and the scores of the negatives."""
        length, batch = self.sequence_length or sizes.history, f"agent.batch_size={self.batch_size}"
        yield MemoryNeed(f"agent.sequence_length={length} with {batch}", "the items of a batch", 8 * length * self.batch_size)
        if self.loss != "full":
            scores = FLOAT * self.negatives * self.batch_size
            yield MemoryNeed(f"agent.negatives={self.negatives} with {batch}", "the scores of the negatives", scores)
