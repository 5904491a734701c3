"""The MLP state tracker, for environments whose features describe the state completely; reads no history."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation, StateTracker, symlog
from recframe_plugins.state_trackers.config import MLPConfig

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


class MLPTracker(StateTracker):
    """state = MLP(symlog(features)), with the activation after every layer; history, profile and context are not read.

    Raises
    ------
    ValueError: the environment has no features, or the config has no layers.
    """

    def __init__(self, config: MLPConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(spec, data, config.item_dim)
        if not spec.num_features:
            raise ValueError("it reads an observation's features, and this environment gives none; use mean or gru")
        if not config.hidden_sizes:
            raise ValueError("state_tracker.hidden_sizes must name at least one layer, such as [64, 64]")
        self.state_dim = config.hidden_sizes[-1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([spec.num_features, *config.hidden_sizes]):
            layers += [nn.Linear(inputs, outputs, device=spec.device), ACTIVATIONS[config.activation]()]
        self.layers = nn.Sequential(*layers)

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user; S is the size of the last layer."""
        assert observation.features is not None
        state: Tensor = self.layers(symlog(observation.features))
        return state
