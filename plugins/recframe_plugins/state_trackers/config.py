"""Options of the built-in state trackers. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import FLOAT, MemoryNeed, Sizes, layer_weights, option


@dataclass
class StateTrackerConfig:
    """Options of every built-in state tracker that reads histories."""

    history_length: int = option(20, "number of shown items, with their feedback, from which the state is computed (H)", ge=1)
    item_dim: int = option(64, "length of a projected item vector (d)", ge=1)
    state_dim: int = option(64, "length of the state vector (S)", ge=1)
    id_embeddings: bool = option(
        False, "also learn a vector per item, independent of its text; the cost of an update then grows with the catalogue"
    )
    id_gate: bool = option(False, "combine an item's text and its learned vector by a learned gate in each dimension; false: add them")
    feedback: str = option(
        "film",
        "how what a user said to a shown item changes its vector in the history: by a factor and a summand in each dimension (film), by a "
        "summand alone (add), or not at all (none). What the tracker posterior takes as evidence of tastes is besides",
        choices=["film", "add", "none"],
    )
    user_embeddings: bool = option(
        False, "also learn a vector per user; it starts at zero and stays zero for users who do not appear in training"
    )
    fusion: str = option(
        "concat",
        "how the summary of the history, profile, context, labels, features and the user's vector are combined to a state: a linear map "
        "(concat), a gated sum (gated), or a sum with attention of the summary to the others (attention)",
        choices=["concat", "gated", "attention"],
    )

    reads: list[str] = option(
        ["profile", "context", "labels"],
        "inputs of the state, where they exist: user profiles, contexts and the run's labels of both; leave one out to measure its effect",
        choices=["profile", "context", "labels"],
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse a gate without learned vectors."""
        if self.id_gate and not self.id_embeddings:
            yield (
                "state_tracker.id_gate combines an item's text with its learned vector, but no vectors are learned: "
                "add state_tracker.id_embeddings=true"
            )
        if len(set(self.reads)) < len(self.reads):
            yield f"state_tracker.reads names an input twice: [{', '.join(self.reads)}]; name each once"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The items' projected vectors, and the map to the state."""
        items, state = f"state_tracker.item_dim={self.item_dim}", f"state_tracker.state_dim={self.state_dim}"
        yield MemoryNeed(items, f"the projected vectors of {sizes.items:,} items", FLOAT * sizes.items * self.item_dim)
        yield MemoryNeed(f"{state} with {items}", "the weights of the state", FLOAT * self.state_dim * self.item_dim)


@dataclass
class MeanConfig(StateTrackerConfig):
    """Mean of the history's items, each modulated by its feedback."""

    half_life: float | None = option(4.0, "number of items after which the weight of a history entry is halved; null: equal weights", gt=0)


@dataclass
class PosteriorConfig(MeanConfig):
    """What the responses in the history say about tastes, by a Gaussian model, beside the mean of the history's items."""

    factors: int = option(
        16, "largest number of latent factors of tastes (d); the fit chooses among it and the powers of two below it", ge=1
    )
    random_steps: int = option(
        100_000,
        "user-steps with random items before training, in addition to trainer.env_steps, to whose responses the model is fitted; 0: none",
        ge=0,
        le=100_000_000,
    )

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The factors of the items."""
        factors = FLOAT * sizes.items * self.factors
        yield MemoryNeed(f"state_tracker.factors={self.factors}", f"the factors of {sizes.items:,} items", factors)
        fitted = min(sizes.items, self.random_steps)
        uncertainty = FLOAT * fitted * self.factors**2
        yield MemoryNeed(f"state_tracker.factors={self.factors}", f"how uncertain the fitted factors of {fitted:,} items are", uncertainty)


@dataclass
class RecurrentConfig(StateTrackerConfig):
    """Options of the recurrent state trackers."""

    dropout: float = option(0.0, "dropout probability for entries and outputs in updates; acting uses no dropout", ge=0, lt=1)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights between two states, of three gates at least."""
        yield MemoryNeed(f"state_tracker.state_dim={self.state_dim}", "the weights between states", 3 * FLOAT * self.state_dim**2)


@dataclass
class GRUConfig(RecurrentConfig):
    """GRU over the history's items, each modulated by its feedback (Hidasi et al., 2016)."""


@dataclass
class LSTMConfig(RecurrentConfig):
    """LSTM over the history's items, each modulated by its feedback (Hochreiter & Schmidhuber, 1997)."""


@dataclass
class CNNConfig(StateTrackerConfig):
    """Convolutions over the history's items, each modulated by its feedback (Caser; Tang & Wang, 2018)."""

    heights: list[int] = option([1, 2, 3, 4], "heights of the horizontal filters: the number of consecutive entries that each covers", ge=1)
    horizontal_filters: int = option(
        16, "number of filters of each height; the maximum of a filter's outputs along the history counts", ge=1
    )
    vertical_filters: int = option(4, "number of filters that weight all entries by their position", ge=1)
    dropout: float = option(0.0, "dropout probability for the outputs of the filters in updates; acting uses no dropout", ge=0, lt=1)

    def contradictions(self) -> Iterator[str]:
        """Refuse an empty list of filters, and filters higher than the history."""
        if not self.heights:
            yield "state_tracker.heights must name at least one height, such as [1, 2, 3]"
        elif max(self.heights) > self.history_length:
            yield f"state_tracker.heights holds {max(self.heights)}, but state_tracker.history_length is only {self.history_length}"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights of the filters."""
        weights = self.horizontal_filters * sum(self.heights) * self.item_dim + self.vertical_filters * self.history_length
        settings = f"state_tracker.horizontal_filters={self.horizontal_filters}, vertical_filters={self.vertical_filters}"
        yield MemoryNeed(f"{settings} and item_dim={self.item_dim}", "the weights of the filters", FLOAT * weights)


@dataclass
class AttentionConfig(StateTrackerConfig):
    """Causal self-attention over the history's items, each modulated by its feedback (SASRec; Kang & McAuley, 2018)."""

    layers: int = option(2, "number of self-attention layers", ge=1)
    heads: int = option(1, "number of attention heads per layer; item_dim must be a multiple of it", ge=1)
    dropout: float = option(0.0, "dropout probability for entries and layer outputs in updates; acting uses no dropout", ge=0, lt=1)
    positions: str = option(
        "newest",
        "from which end of a history the learned positions are counted; from the oldest, all places of a sequence are computed in one pass",
        choices=["newest", "oldest"],
    )
    bidirectional: bool = option(False, "let entries attend to later ones too, which learning from masked items needs (BERT4Rec)")
    norm_first: bool = option(True, "normalize the inputs of each sublayer and the output; false: the sum of its input and output (BERT)")
    activation: str = option("relu", "activation of the feed-forward sublayers", choices=["relu", "gelu"])
    feed_forward_dim: int | None = option(
        None, "length of the vectors between the two layers of a feed-forward sublayer; null: item_dim", ge=1
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse heads of unequal sizes."""
        if self.item_dim % self.heads:
            yield f"state_tracker.item_dim ({self.item_dim}) must be a multiple of state_tracker.heads ({self.heads})"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights of the layers, and the attention of every entry to every other for all users."""
        width, between = self.item_dim, self.feed_forward_dim or self.item_dim
        weights = self.layers * (4 * width**2 + 2 * width * between)
        layers = f"state_tracker.layers={self.layers}, feed_forward_dim={between} and item_dim={width}"
        yield MemoryNeed(layers, "the weights of the attention layers", FLOAT * weights)
        entries = f"state_tracker.history_length={self.history_length} with environment.num_users={sizes.users}"
        yield MemoryNeed(entries, "the entries of one attention layer", FLOAT * sizes.users * self.history_length * width)


@dataclass
class MLPConfig:
    """Fully connected layers over the observation's features; reads no history."""

    history_length: int = option(1, "number of shown items in observations (H); this tracker does not read them", ge=1)
    item_dim: int = option(64, "length of a projected item vector (d)", ge=1)
    hidden_sizes: list[int] = option([64, 64], "sizes of the layers; the last one is the length of the state vector (S)", ge=1)
    activation: str = option("relu", "activation after each layer", choices=["relu", "tanh"])

    def contradictions(self) -> Iterator[str]:
        """Refuse a tracker without a layer, which would have no state."""
        if not self.hidden_sizes:
            yield "state_tracker.hidden_sizes must name at least one layer, such as [64, 64]: the last one is the state"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights between the layers."""
        yield layer_weights("state_tracker.hidden_sizes", self.hidden_sizes)
