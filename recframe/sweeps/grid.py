"""The grid sweeper, `hydra/sweeper=grid`: every combination of the values of a command line, in place of Hydra's own sweeper."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf, open_dict

from recframe.config.checks.validate import find_new_run_problems
from recframe.config.problems import ConfigError
from recframe.cores import available_cores
from recframe.errors import Stop
from recframe.sweeps.launching import JobLauncher
from recframe.sweeps.memory import warn_of_memory
from recframe.sweeps.outcomes import NAMED, Outcome, finish, finished_before
from recframe.sweeps.plan import is_of_sweep
from recframe.sweeps.record import SweepRecord, recording
from recframe.sweeps.side_by_side import jobs_on_this_machine
from recframe.sweeps.sweep_file import SweepJob, locked
from recframe.sweeps.sweeper import RecordedSweeper
from recframe.tracking.claim import in_words
from recframe.tracking.identity import read_identity, run_identity

log = logging.getLogger(__name__)

NUMBERED = ("${hydra.job.num}", "${hydra:job.num}")
"""How `hydra.sweep.subdir` has the number of a job."""


class GridSweeper(RecordedSweeper):
    """Runs every combination once; of a sweep that is continued, those without a result, and those that it did not have.

    Parameters
    ----------
    max_batch_size: the largest number of jobs that are handed to the launcher at a time; None: all.
    params: overrides of the sweep by key, before those of the command line.
    """

    def __init__(self, max_batch_size: int | None = None, params: Mapping[str, Any] | None = None) -> None:
        self.max_batch_size, self.params = max_batch_size, dict(params or {})

    def sweep(self, arguments: list[str]) -> Mapping[int, Outcome]:
        """Run what is missing of the grid, and of the jobs that the sweep had before; returns what became of all, by number.

        Raises
        ------
        ConfigError: with the mistakes in jobs that the command line did not know of.
        SweepFolderError: the folder holds another sweep, or another process runs this one.
        SweepFailed: a job has no result.
        Stop: the sweep was stopped by a signal.
        """
        stopped_by: int | None
        with ExitStack() as stack:
            record = SweepRecord.of_environment() or stack.enter_context(recording())
            stack.enter_context(locked(self.folder))
            self.file = self._opened()
            launcher = JobLauncher(self.launcher, self.folder, record, self.limits, self.max_batch_size)
            try:
                self._plan_jobs([text for text in arguments if not is_of_sweep(text)])
                self.outcomes |= self._finished_before()
                left = [job for job in self.file.jobs if job.number not in self.outcomes]
                together = min(jobs_on_this_machine(self.config.hydra.launcher, available_cores()), len(left))
                warn_of_memory([(f"job {job.number}", job.overrides) for job in left], self._composed, together)
                launcher.launch(left)
                stopped_by = record.stop_signal
            except Stop as stop:
                stopped_by = stop.exit_code - 128
            self.outcomes |= launcher.outcomes
            self.plan.at_end(self.folder)
            finish(self.folder, self.file.jobs, self.outcomes, stopped_by)
        return self.outcomes

    def _finished_before(self) -> dict[int, Outcome]:
        """The outcomes of the jobs that have a result already, by number."""
        found = {job.number: finished_before(self.folder / job.folder) for job in self.file.jobs}
        self._warn_of_changes([job for job in self.file.jobs if found[job.number] is not None])
        return {number: outcome for number, outcome in found.items() if outcome is not None}

    def _warn_of_changes(self, finished: Sequence[SweepJob]) -> None:
        """Say which of the finished jobs would not be the same runs now, because data, versions or files of settings have changed."""
        changed: dict[int, list[str]] = {}
        for job in finished:
            now, then = self.plan.identities.get(job.settings), read_identity(self.folder / job.folder)
            if now is not None and then is not None and now.key != then.key:
                changed[job.number] = then.differences(now)
        if changed:
            first, differences = next(iter(changed.items()))
            more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
            log.warning(
                "jobs that have finished were other runs than they would be now: %s%s (job %d: %s). They count as finished; to run one "
                "again, remove its folder",
                ", ".join(map(str, [*changed][:NAMED])),
                more,
                first,
                in_words(differences) or "a value of an environment variable differs",
            )

    def _plan_jobs(self, arguments: list[str]) -> None:
        """Write the jobs that the sweep does not have to sweep.json, with their numbers and folders."""
        wanted = self._expanded(arguments)
        known = {job.settings: job for job in self.file.jobs}
        new = [one for one in wanted if frozenset(one) not in known]
        self._check([one for one in new if frozenset(one) not in self.plan.checked])
        if new and self.file.jobs:
            new = self._without_known(new)
        first = self.file.next_number
        added = [SweepJob(number, self._folder_of(number, one), tuple(one)) for number, one in enumerate(new, start=first)]
        self.file = self.file.with_jobs(added)
        self.file.write(self.folder)

    def _expanded(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each combination, as Hydra's own sweeper makes them, each once."""
        texts = [f"{key}={value}" for key, value in self.params.items()] + arguments
        parsed = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(texts)
        (combinations,) = BasicSweeper.split_arguments(parsed, None)
        return list({frozenset(one): one for one in combinations}.values())

    def _check(self, jobs: Sequence[Sequence[str]]) -> None:
        """Look for mistakes in jobs that the command line did not know of.

        Raises
        ------
        ConfigError: with each mistake.
        """
        problems: dict[str, None] = {}
        for overrides in jobs:
            problems |= dict.fromkeys(find_new_run_problems(self._composed(overrides)))
        if problems:
            raise ConfigError(list(problems))

    def _without_known(self, new: list[list[str]]) -> list[list[str]]:
        """The combinations whose run the sweep does not have in other words, such as with another logger."""
        keys = {self._key_of(job): job for job in self.file.jobs}
        left = []
        for one in new:
            identity = self.plan.identities.get(frozenset(one)) or run_identity(self._composed(one))
            if (job := keys.get(identity.key)) is None:
                left.append(one)
            else:
                # it goes on in these words
                self.file = self.file.with_jobs([SweepJob(job.number, job.folder, tuple(one))])
        return left

    def _key_of(self, job: SweepJob) -> str:
        """The identity of a job's run: of one that was started, as it was then."""
        identity = read_identity(self.folder / job.folder)
        return identity.key if identity is not None else run_identity(self._composed(job.overrides)).key

    def _folder_of(self, number: int, overrides: Sequence[str]) -> str:
        """The folder of a new job in that of the sweep."""
        raw: Any = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)
        subdir = str(raw["subdir"])
        for name in NUMBERED:
            subdir = subdir.replace(name, str(number))
        if "${" not in subdir:
            return subdir
        job = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(job):
            job.hydra.job.num = number
        return str(OmegaConf.select(job, "hydra.sweep.subdir"))
