"""Options and registration of the built-in state trackers; light, so that composing a config imports no torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl


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
        "how the history's summary, profile, context, features and the person's vector become a state: a linear map of all (concat), "
        "a sum in which all decide what each counts (gated), or one in which the summary looks at the others (attention)",
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
class MLPConfig:
    """Fully connected layers over the observation's features; reads no history."""

    history_length: int = option(1, "shown items that observations carry (H); this tracker reads none of them", ge=1)
    item_dim: int = option(64, "length of a projected item vector (d)", ge=1)
    hidden_sizes: list[int] = option([64, 64], "sizes of the layers; the last one is the length of the state vector (S)", ge=1)
    activation: str = option("relu", "what follows each layer", choices=["relu", "tanh"])


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the trackers."""
    register(Component(Kind.STATE_TRACKER, "mean", MeanConfig, "recframe_plugins.state_trackers.mean:MeanTracker"))
    register(Component(Kind.STATE_TRACKER, "gru", GRUConfig, "recframe_plugins.state_trackers.recurrent:GRUTracker"))
    register(Component(Kind.STATE_TRACKER, "lstm", LSTMConfig, "recframe_plugins.state_trackers.recurrent:LSTMTracker"))
    register(Component(Kind.STATE_TRACKER, "mlp", MLPConfig, "recframe_plugins.state_trackers.mlp:MLPTracker", requires={"features"}))
