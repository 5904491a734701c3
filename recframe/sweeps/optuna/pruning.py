"""The callback of a trial's run: it reports the objective at each evaluation, and ends the run if the study's pruner says so."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import optuna
import pytorch_lightning as pl
from omegaconf import DictConfig
from optuna.exceptions import StorageInternalError
from pytorch_lightning.callbacks import Callback

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import Pruned
from recframe.sweeps.optuna.study import open_storage, pruner_of
from recframe.sweeps.optuna.sweeper import search_settings

log = logging.getLogger(__name__)


def pruning_callbacks(hydra_cfg: DictConfig, cfg: DictConfig) -> list[Callback]:
    """The callback of a job, in a list; an empty list if the job is of no search, or of one that ends no trials early.

    Parameters
    ----------
    hydra_cfg: Hydra's own section of the job.   cfg: the config of its run.
    """
    settings = search_settings(hydra_cfg.sweeper)
    if settings is None or settings.pruner == "none":
        return []
    # the sweeper has given the job a folder below that of the sweep
    sweep = Path(hydra_cfg.runtime.output_dir).parent
    last = cfg.trainer if cfg.stages[-1] == "simulated" else cfg.logged
    return [TrialPruning(settings, sweep, settings.objectives[0] if settings.objectives else last.monitor, len(cfg.stages) - 1)]


class TrialPruning(Callback):
    """Reports a metric of the last stage to the study, and ends the run after the evaluation is saved.

    All that it knows of other trials is in the study's database, so that it works in any process. If that fails, the run goes on.

    Parameters
    ----------
    sweep: the folder of the sweep.   metric: the objective.   stage: the number of the last stage, from 0.
    """

    only_watches = True
    """It changes no weights, so that what was measured of them holds."""

    def __init__(self, settings: OptunaSweeperConfig, sweep: Path, metric: str, stage: int) -> None:
        self.settings, self.sweep, self.metric, self.stage = settings, sweep, metric, stage
        self.study: optuna.Study | None = None
        self.trial_id = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Open the study."""
        name, number = self.settings.study_name or self.sweep.name, self.settings.trial
        assert number is not None
        try:
            self.study = optuna.load_study(
                study_name=name, storage=open_storage(self.settings.storage, self.sweep), pruner=pruner_of(self.settings)
            )
            self.trial_id = self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        except Exception:  # whatever a database, or its driver, raises: it must not cost the run; the log has the error
            self._give_up()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Report the evaluation that has just been made. After a resume it may be the one that was reported before."""
        value = trainer.callback_metrics.get(f"eval/{self.metric}", math.nan)
        if self.study is None or not self._is_last(module) or math.isnan(float(value)):
            return
        try:
            self.study._storage.set_trial_intermediate_value(self.trial_id, trainer.current_epoch + 1, float(value))
        except StorageInternalError:
            self._give_up()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """End the run if the pruner says so: the evaluation before is saved.

        Raises
        ------
        Pruned: other settings do better.
        """
        if self.study is None or not self._is_last(module) or not trainer.current_epoch:
            return
        try:
            trial = self.study._storage.get_trial(self.trial_id)
            pruned = bool(trial.intermediate_values) and self.study.pruner.prune(self.study, trial)
        except StorageInternalError:
            return self._give_up()
        if pruned and trial.last_step is not None:
            value = trial.intermediate_values[trial.last_step]
            raise Pruned(f"{self.settings.pruner} ended it after evaluation {trial.last_step}, with {self.metric} {value:.5g}")

    def _is_last(self, module: Any) -> bool:
        return bool(module.stage.index == self.stage)

    def _give_up(self) -> None:
        self.study = None
        log.warning("the study's database fails; the run goes on, and is not ended early", exc_info=True)
