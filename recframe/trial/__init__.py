"""A trial of a run's components on toy data, before its dataset is loaded and texts are encoded."""

from recframe.trial.components import try_components
from recframe.trial.once import try_once

__all__ = ["try_components", "try_once"]
