"""Training: one LightningModule for every agent, checkpoints that resume to the same numbers, and leaving in good order."""

from recframe.training.checkpoints import BEST, LAST, CheckpointError, checkpoint_env_steps, load_weights
from recframe.training.fit import MonitorError, Schedule, fit
from recframe.training.interruption import Interrupted, Interruption
from recframe.training.module import TrainingDiverged

__all__ = [
    "BEST",
    "LAST",
    "CheckpointError",
    "Interrupted",
    "Interruption",
    "MonitorError",
    "Schedule",
    "TrainingDiverged",
    "checkpoint_env_steps",
    "fit",
    "load_weights",
]
