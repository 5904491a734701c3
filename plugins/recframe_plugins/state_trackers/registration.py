"""Registers the built-in state trackers. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.state_trackers.config import AttentionConfig, CNNConfig, GRUConfig, LSTMConfig, MeanConfig, MLPConfig, PosteriorConfig
from recframe_plugins.state_trackers.summaries.config import SummariesConfig


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the built-in state trackers."""
    register(Component(Kind.STATE_TRACKER, "mean", MeanConfig, "recframe_plugins.state_trackers.mean:MeanTracker"))
    register(Component(Kind.STATE_TRACKER, "posterior", PosteriorConfig, "recframe_plugins.state_trackers.posterior:PosteriorTracker"))
    register(Component(Kind.STATE_TRACKER, "gru", GRUConfig, "recframe_plugins.state_trackers.recurrent:GRUTracker"))
    register(Component(Kind.STATE_TRACKER, "lstm", LSTMConfig, "recframe_plugins.state_trackers.recurrent:LSTMTracker"))
    register(Component(Kind.STATE_TRACKER, "cnn", CNNConfig, "recframe_plugins.state_trackers.cnn:CNNTracker"))
    attention = "recframe_plugins.state_trackers.attention:AttentionTracker"
    register(Component(Kind.STATE_TRACKER, "attention", AttentionConfig, attention, provides=frozenset({"bidirectional?bidirectional"})))
    summaries = "recframe_plugins.state_trackers.summaries.tracker:SummariesTracker"
    register(Component(Kind.STATE_TRACKER, "summaries", SummariesConfig, summaries, provides=frozenset({"asks_model"})))
    register(
        Component(Kind.STATE_TRACKER, "mlp", MLPConfig, "recframe_plugins.state_trackers.mlp:MLPTracker", requires=frozenset({"features"}))
    )
