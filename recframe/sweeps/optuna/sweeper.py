"""The sweeper that Hydra calls for `hydra/sweeper=optuna`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from recframe.config import ConfigError
from recframe.config.checks.sections import check_fields
from recframe.config.compose.quoting import quoted_value
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.cores import available_cores
from recframe.errors import Stop, UserError
from recframe.sweeps.launching import JobLauncher
from recframe.sweeps.memory import LOOKED_AT, warn_of_memory
from recframe.sweeps.optuna.together import jobs_together
from recframe.sweeps.outcomes import Outcome, SweepFailed
from recframe.sweeps.plan import is_of_sweep
from recframe.sweeps.record import SweepRecord, recording
from recframe.sweeps.side_by_side import jobs_on_this_machine
from recframe.sweeps.sweep_file import SweepFile, SweepJob
from recframe.sweeps.sweeper import RecordedSweeper
from recframe.tracking.resume_command import SWEEP_NAME

if TYPE_CHECKING:
    from recframe.sweeps.optuna.search import Job
    from recframe.sweeps.optuna.space import Space
    from recframe.sweeps.optuna.workers import Workers


STUDY, PARAMS = "study", "hydra.sweeper.params"


class OptunaSweeper(RecordedSweeper):
    """Searches settings with Optuna. Parameters are those of `recframe.config.schema.search.OptunaSweeperConfig`.

    Other than a grid, several processes may work on one search in one folder.
    """

    def __init__(self, **settings: Any) -> None:
        # lists and mappings come as configs
        plain = OmegaConf.to_container(OmegaConf.create(settings), resolve=True)
        self.settings = OptunaSweeperConfig(**cast("dict[str, Any]", plain))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of.

        Raises
        ------
        UserError: if Optuna is not installed.
        ConfigError: if a setting is not allowed.
        """
        if find_spec("optuna") is None:
            raise UserError("hydra/sweeper=optuna: Optuna is not installed; pip install 'recframe[optuna]'")
        # not in the constructor, whose errors Hydra puts into a message of its own
        if problems := check_fields("hydra.sweeper.", dataclasses.asdict(self.settings), OptunaSweeperConfig):
            raise ConfigError(problems)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Mapping[int, Outcome]:
        """Run trials until the study has as many as it is to have; returns what became of the jobs of this process, by number.

        Parameters
        ----------
        arguments: the overrides of the command line; those of `hydra.sweeper.params` that are not among them are added.

        Raises
        ------
        ConfigError: if the search makes no sense.
        SweepFolderError: the folder holds another sweep.
        SweepFailed: trials failed or were stopped at a limit, after all have ended.
        Stop: the sweep was stopped by a signal.
        """
        from recframe.sweeps.optuna.search import Search, objectives_of
        from recframe.sweeps.optuna.workers import Workers

        space = self._space([text for text in arguments if not is_of_sweep(text)])
        objectives = objectives_of(self.settings, self.config)
        with ExitStack() as stack:
            record = SweepRecord.of_environment() or stack.enter_context(recording())
            self.file = self._opened()
            workers = Workers(self.folder)
            launcher = JobLauncher(self.launcher, self.folder, record, self.limits)
            most = jobs_together(self.settings, self.config.hydra.launcher, available_cores())
            runner = LaunchedJobs(self, launcher, workers)
            how: dict[str, Any] = {"retries": self.plan.resumed, "may_change": self._may_change(), "note_change": self._note_command}
            with workers.study_lock:
                # whoever is seen to work on the study has opened it
                stack.enter_context(workers.working())
                search = Search(self.settings, space, objectives, self.folder, runner, workers, most, **how)
            together = min(jobs_on_this_machine(self.config.hydra.launcher, available_cores()), most) * workers.on_this_machine()
            together = min(together, search.trials.total * (len(search.space.seeds) or 1))
            warn_of_memory([("the largest values of the search", one) for one in space.largest(LOOKED_AT)], self._composed, together)
            try:
                summary = search.run()
            except Stop as stop:
                self.plan.at_end(self.folder)
                raise Stop(search.summary.text(stop.exit_code - 128), stop.exit_code) from None
            stop_signal = launcher.record.stop_signal
        self.plan.at_end(self.folder)
        if stop_signal is not None:
            raise Stop(summary.text(stop_signal), 128 + stop_signal)
        summary.show()
        if summary.lacking:
            raise SweepFailed(summary.text())
        print(f"recframe: {summary.text()}")
        return launcher.outcomes

    def number(self, jobs: Sequence[Job]) -> list[SweepJob]:
        """The jobs with their numbers in sweep.json, where those are written that are new. No other process may write it meanwhile."""
        self.file = self.file.with_jobs(SweepFile.read(self.folder).jobs if (self.folder / SWEEP_NAME).exists() else ())
        known = {job.folder: job for job in self.file.jobs}
        new = [job for job in jobs if job.folder not in known]
        added = [SweepJob(number, job.folder, tuple(job.overrides)) for number, job in enumerate(new, start=self.file.next_number)]
        self.file = self.file.with_jobs(added)
        self.file.write(self.folder)
        known |= {job.folder: job for job in added}
        return [known[job.folder] for job in jobs]

    def _may_change(self) -> list[str] | None:
        """The settings of which the study may get other values; None: all.

        If other folders work on it, too, they are those that the person types beside `sweep.resume=`, or all of a file of them.
        """
        if self.settings.storage is None:
            return None
        typed = [text.partition("=")[0].lstrip("+") for text in self.plan.typed]
        return None if {STUDY, PARAMS} & {*typed} else [key.removeprefix(f"{PARAMS}.") for key in typed]

    def _note_command(self) -> None:
        self.number(())

    def _space(self, arguments: Sequence[str]) -> Space:
        from recframe.sweeps.optuna.space import Space

        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides(list(arguments))
        known = {override.get_key_element() for override in given}
        filed = parser.parse_overrides([f"{key}={value}" for key, value in (self.settings.params or {}).items()])
        overrides = [*(override for override in filed if override.get_key_element() not in known), *given]
        return Space.of(
            overrides,
            lambda group: bool(loader.get_group_options(group, ObjectType.CONFIG)),
            lambda chosen: loader.load_sweep_config(self.config, list(chosen)),
        )


class LaunchedJobs:
    """Runs the jobs of trials by the launcher of the sweep."""

    def __init__(self, sweeper: OptunaSweeper, launcher: JobLauncher, workers: Workers) -> None:
        self.sweeper, self.launcher, self.workers = sweeper, launcher, workers

    def run(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        """Run jobs together, and return what became of each."""
        with self.workers.study_lock:
            numbered = self.sweeper.number(jobs)
        own = [_place_in_study(job) if job.judged else [] for job in jobs]
        launched = [replace(one, overrides=(*one.overrides, *more)) for one, more in zip(numbered, own, strict=True)]
        outcomes = self.launcher.launch(launched)
        return [outcomes.get(job.number) for job in numbered]

    @property
    def stopped(self) -> bool:
        """Whether the sweep is to stop."""
        return self.launcher.record.stop_signal is not None


def _place_in_study(job: Job) -> list[str]:
    """What the run of a job needs to know to be judged."""
    return [f"hydra.sweeper.trial={job.trial.number}", f"hydra.sweeper.study_name={quoted_value(job.trial.study)}"]


def search_settings(sweeper: DictConfig) -> OptunaSweeperConfig | None:
    """The settings of the search that a job with this section `hydra.sweeper` belongs to; None if it belongs to none."""
    plain: Any = OmegaConf.to_container(sweeper, resolve=True)
    names = [field.name for field in dataclasses.fields(OptunaSweeperConfig)]
    if plain.get("_target_") != OptunaSweeperConfig._target_ or plain.get("trial") is None:
        return None
    return OptunaSweeperConfig(**{name: plain[name] for name in names if name in plain})
