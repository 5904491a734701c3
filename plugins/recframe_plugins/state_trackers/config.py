"""Options and registration of the built-in state trackers; light, so that composing a config imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class StateTrackerConfig:
    """What every built-in state tracker is asked."""

    history_length: int = option(20, "shown items, with their feedback, that the state is made from (H)", ge=1)
    item_dim: int = option(64, "length of a projected item vector (d)", ge=1)
    state_dim: int = option(64, "length of the state vector (S)", ge=1)
    id_embeddings: bool = option(
        False, "also learn a vector per item that owes nothing to its text; an update then costs the more, the larger the catalogue"
    )
    id_gate: bool = option(False, "weigh an item's text against its learned vector in each dimension by a learned gate; false: add them")
    user_embeddings: bool = option(
        False, "also learn a vector per person; people never met in training keep the zero it starts from, and are nobody in particular"
    )
    fusion: str = option(
        "concat",
        "how the history's summary, profile, context, labels, features and the person's vector become a state: a linear map of all "
        "(concat), a sum in which all decide what each counts (gated), or one in which the summary looks at the others (attention)",
        choices=["concat", "gated", "attention"],
    )

    reads: list[str] = option(
        ["profile", "context", "labels"],
        "texts that the state is made from, where there are any: people's profiles, the context of a visit, and what the run's labels say "
        "of both; leave one out to see what it is worth",
        choices=["profile", "context", "labels"],
    )

    def contradictions(self) -> Iterator[str]:
        """A gate between texts and nothing."""
        if self.id_gate and not self.id_embeddings:
            yield (
                "state_tracker.id_gate weighs an item's text against its learned vector, of which there are none: "
                "add state_tracker.id_embeddings=true"
            )


@dataclass
class MeanConfig(StateTrackerConfig):
    """Mean of the history's items, each modulated by its feedback."""

    half_life: float | None = option(4.0, "items after which a history entry counts half; null: all count alike", gt=0)


@dataclass
class GRUConfig(StateTrackerConfig):
    """GRU over the history's items, each modulated by its feedback (Hidasi et al., 2016)."""


@dataclass
class LSTMConfig(StateTrackerConfig):
    """LSTM over the history's items, each modulated by its feedback (Hochreiter & Schmidhuber, 1997)."""


@dataclass
class CNNConfig(StateTrackerConfig):
    """Convolutions over the history's items, each modulated by its feedback (Caser; Tang & Wang, 2018)."""

    heights: list[int] = option([1, 2, 3, 4], "heights of the horizontal filters: how many entries one after another each looks at", ge=1)
    horizontal_filters: int = option(16, "filters of each height; of all that one answers along the history, the largest counts", ge=1)
    vertical_filters: int = option(4, "filters that weigh all entries, by how long ago each was", ge=1)

    def contradictions(self) -> Iterator[str]:
        """No filters, or filters of which a part would never see anything."""
        if not self.heights:
            yield "state_tracker.heights must name at least one height, such as [1, 2, 3]"
        elif max(self.heights) > self.history_length:
            yield f"state_tracker.heights holds {max(self.heights)}, but state_tracker.history_length is only {self.history_length}"


@dataclass
class AttentionConfig(StateTrackerConfig):
    """Causal self-attention over the history's items, each modulated by its feedback (SASRec; Kang & McAuley, 2018)."""

    layers: int = option(2, "self-attention layers, one on another", ge=1)
    heads: int = option(1, "attention heads of each layer; item_dim must be a multiple of it", ge=1)
    dropout: float = option(0.0, "share of entries' and layers' outputs left out at random in updates; acting leaves out none", ge=0, lt=1)

    def contradictions(self) -> Iterator[str]:
        """Heads of unequal sizes."""
        if self.item_dim % self.heads:
            yield f"state_tracker.item_dim ({self.item_dim}) must be a multiple of state_tracker.heads ({self.heads})"


@dataclass
class MLPConfig:
    """Fully connected layers over the observation's features; reads no history."""

    history_length: int = option(1, "shown items that observations carry (H); this tracker reads none of them", ge=1)
    item_dim: int = option(64, "length of a projected item vector (d)", ge=1)
    hidden_sizes: list[int] = option([64, 64], "sizes of the layers; the last one is the length of the state vector (S)", ge=1)
    activation: str = option("relu", "what follows each layer", choices=["relu", "tanh"])
