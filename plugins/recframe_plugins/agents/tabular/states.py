"""State spaces of the tabular agents: they number the observations that a table of values tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, Observation


class StateSpace(Protocol):
    """A finite set of states."""

    size: int

    def __call__(self, observation: Observation) -> Tensor:
        """The number of each user's state, int64 `[N]`, 0 to `size` - 1."""


class LastItem:
    """The item shown last, with the thresholds that each signal of its feedback lies between; one more state for an empty history.

    Raises
    ------
    ValueError: if the thresholds do not ascend.
    """

    def __init__(self, spec: EnvironmentSpec, thresholds: list[float]) -> None:
        if sorted(set(thresholds)) != thresholds:
            raise ValueError(f"agent.thresholds must ascend, as in [0.5, 3.5]; not {thresholds}")
        self.thresholds = torch.tensor(thresholds, device=spec.device)
        levels = len(thresholds) + 1
        self.radix = levels ** torch.arange(len(spec.signals), device=spec.device)
        self.answers = levels ** len(spec.signals)
        self.size = spec.num_items * self.answers + 1

    def __call__(self, observation: Observation) -> Tensor:
        """The states `[N]`. An empty history is the last state."""
        item, feedback = observation.history_items[:, -1], observation.history_feedback[:, -1].contiguous()
        answer = (torch.bucketize(feedback, self.thresholds, right=True) * self.radix).sum(dim=1)
        return torch.where(item == PAD, self.size - 1, item * self.answers + answer)


class OneHot:
    """The index of the largest raw feature, as in the one-hot features of Gymnasium's discrete observations.

    Raises
    ------
    ValueError: if there are no features.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        _require_features(spec, "one_hot")
        self.size = spec.num_features

    def __call__(self, observation: Observation) -> Tensor:
        """The states `[N]`."""
        assert observation.features is not None
        return observation.features.argmax(dim=1)


class FeatureBins:
    """All combinations of bins of equal width of each raw feature.

    Raises
    ------
    ValueError: if there are no features, or if an option does not have one value for each of them or one for all.
    """

    def __init__(self, spec: EnvironmentSpec, bins: list[int], low: list[float], high: list[float]) -> None:
        _require_features(spec, "bins")
        count = spec.num_features
        options: dict[str, Sequence[float]] = {"bins": bins, "low": low, "high": high}
        for name, values in options.items():
            if len(values) not in (1, count):
                raise ValueError(f"agent.{name} must hold 1 number, or {count}, one for each feature; it holds {len(values)}")
        self.bins, self.low, self.high = (torch.tensor(values, device=spec.device).expand(count) for values in (bins, low, high))
        if not (self.low < self.high).all():
            raise ValueError(f"agent.low must lie below agent.high for each feature; low is {low}, high is {high}")
        radix = [1]
        for number in self.bins.tolist():
            radix.append(radix[-1] * number)
        *places, self.size = radix
        # clamped to int64: the agent refuses a table of that size anyway
        self.radix = torch.tensor([min(place, 2**62) for place in places], device=spec.device)

    def __call__(self, observation: Observation) -> Tensor:
        """The states `[N]`."""
        assert observation.features is not None
        position = (observation.features - self.low) / (self.high - self.low) * self.bins
        # clamped before the conversion, because infinity has no integer
        within = torch.minimum(position.nan_to_num().clamp(min=0.0), self.bins - 1.0).long()
        return (within * self.radix).sum(dim=1)


def _require_features(spec: EnvironmentSpec, option: str) -> None:
    if not spec.num_features:
        raise ValueError(f"agent.state={option} needs observations with raw numbers, but the environment gives none; use last_item")
