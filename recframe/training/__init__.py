"""Training: one LightningModule for every agent, checkpoints from which a run resumes exactly, and stopping on a signal."""

from recframe.tracking.finite import TrainingDiverged
from recframe.tracking.weights import CheckpointError, load_weights
from recframe.training.auxiliary import AuxiliaryHead, BehaviourPrediction, ResponsePrediction, auxiliary_head
from recframe.training.checkpoints import BEST, FINAL, LAST, device_at, progress_at, require_resumable, stage_at
from recframe.training.fit import MonitorError, Schedule, Selection, fit
from recframe.training.interruption import Interruption
from recframe.training.lightning_output import suppress_lightning_output
from recframe.training.lm_tuning.tuned_texts import read_tuned
from recframe.training.lm_tuning.tuner import Tuner
from recframe.training.module import StageRecord
from recframe.training.ranks import RankLost, Ranks

__all__ = [
    "BEST",
    "FINAL",
    "LAST",
    "AuxiliaryHead",
    "BehaviourPrediction",
    "CheckpointError",
    "Interruption",
    "MonitorError",
    "RankLost",
    "Ranks",
    "ResponsePrediction",
    "Schedule",
    "Selection",
    "StageRecord",
    "TrainingDiverged",
    "Tuner",
    "auxiliary_head",
    "device_at",
    "fit",
    "load_weights",
    "progress_at",
    "read_tuned",
    "require_resumable",
    "stage_at",
    "suppress_lightning_output",
]
