"""The grid sweeper, `hydra/sweeper=grid`: every combination of the values of a command line, in place of Hydra's own sweeper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from recframe.config.checks.validate import find_new_run_problems
from recframe.config.problems import ConfigError
from recframe.sweeps.launching import JobLauncher
from recframe.sweeps.sweep_file import SweepJob
from recframe.sweeps.sweeper import RecordedSweeper
from recframe.tracking.identity import read_identity, run_identity


class GridSweeper(RecordedSweeper):
    """Runs every combination once; of a sweep that is continued, those without a result, and those that it did not have.

    Parameters
    ----------
    max_batch_size: the largest number of jobs that are handed to the launcher at a time; None: all.
    params: overrides of the sweep by key, before those of the command line.
    """

    def __init__(self, max_batch_size: int | None = None, params: Mapping[str, Any] | None = None) -> None:
        self.max_batch_size, self.params = max_batch_size, dict(params or {})

    def run(self, arguments: list[str], launcher: JobLauncher) -> None:
        """Run what is missing of the grid, and of the jobs that the sweep had before."""
        wanted = self._expanded(arguments)
        known = {job.settings: job for job in self.file.jobs}
        new = [one for one in wanted if frozenset(one) not in known]
        self._check([one for one in new if frozenset(one) not in self.plan.checked])
        if new and self.file.jobs:
            new = self._without_known(new)
        self.add_jobs(new)
        self.launch(self.file.jobs, launcher)

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
            key = self.plan.keys.get(frozenset(one)) or run_identity(self._composed(one)).key
            if (job := keys.get(key)) is None:
                left.append(one)
            else:
                # it goes on in these words
                self.file = self.file.with_jobs([SweepJob(job.number, job.folder, tuple(one))])
        return left

    def _key_of(self, job: SweepJob) -> str:
        """The identity of a job's run: of one that was started, as it was then."""
        identity = read_identity(self.folder / job.folder)
        return identity.key if identity is not None else run_identity(self._composed(job.overrides)).key

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
