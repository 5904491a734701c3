"""Pretraining of a language model on the texts of a dataset, without an agent: `recframe pretrain`."""

from recframe.pretraining.pretrain import pretrain
from recframe.pretraining.record import PretrainingResult

__all__ = ["PretrainingResult", "pretrain"]
