"""A toy app whose jobs take no time, searched in this process."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.sweeps.optuna.search import Objectives, Search
from recframe.sweeps.optuna.space import Space

AGENTS = {"a": {"rate": 0.1, "clip": 0.2}, "b": {"rate": 0.1}}


def compose(overrides: Sequence[str]) -> DictConfig:
    """The config of the app: the agents a (rate, clip) and b (rate), and a number x."""
    parsed = {one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(list(overrides))}
    agent = parsed.pop("agent", "a")
    cfg = OmegaConf.create({"agent": AGENTS[agent], "x": 0.0, "seed": 0})
    for key, value in parsed.items():
        OmegaConf.update(cfg, key, value, force_add=True)
    return cfg


class Toy(Launcher):
    """Searches settings of the app, and runs its jobs, as far as the sweeper can notice.

    calls: the folder of each job that was started.   rounds: the number of jobs that were started together.
    """

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        self.calls: list[str] = []
        self.rounds: list[int] = []

    def setup(self, **parts) -> None:
        """There is nothing to set up."""

    def __call__(
        self, *arguments: str, objective: Callable[[DictConfig], float], most: int = 1, objectives: Objectives | None = None, **settings
    ) -> dict:
        """Search, and return study.json."""
        self.objective = objective
        space = Space.of(OverridesParser.create().parse_overrides(list(arguments)), lambda group: group == "agent", compose)
        objectives = objectives or Objectives((), ("max",))
        self.sweep.mkdir(parents=True, exist_ok=True)
        Search(OptunaSweeperConfig(**settings), space, objectives, self.sweep, self, most).run()
        return self.study

    @property
    def study(self) -> dict:
        return json.loads((self.sweep / "study.json").read_text())

    def launch(self, job_overrides, initial_job_idx) -> Sequence[JobReturn]:
        self.rounds.append(len(job_overrides))
        return [self._run(overrides) for overrides in job_overrides]

    def _run(self, overrides: Sequence[str]) -> JobReturn:
        cfg = compose(overrides)
        self.calls.append(str(cfg.hydra.sweep.subdir))
        try:
            return JobReturn(status=JobStatus.COMPLETED, _return_value=self.objective(cfg))
        except Exception as error:
            return JobReturn(status=JobStatus.FAILED, _return_value=error)


@pytest.fixture
def toy(tmp_path) -> Toy:
    return Toy(tmp_path / "sweep")
