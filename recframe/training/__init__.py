"""Training: one LightningModule for every agent, checkpoints that resume to the same numbers, and leaving in good order."""

from recframe.training.auxiliary import BehaviourPrediction
from recframe.training.checkpoints import BEST, FINAL, LAST, CheckpointError, load_weights, progress_at
from recframe.training.fit import MonitorError, Schedule, fit
from recframe.training.interruption import Interruption
from recframe.training.module import TrainingDiverged

__all__ = [
    "BEST",
    "FINAL",
    "LAST",
    "BehaviourPrediction",
    "CheckpointError",
    "Interruption",
    "MonitorError",
    "Schedule",
    "TrainingDiverged",
    "fit",
    "load_weights",
    "progress_at",
]
