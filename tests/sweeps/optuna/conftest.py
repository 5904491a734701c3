"""A toy app whose jobs take no time, searched in this process."""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import JobStopped, Pruned
from recframe.sweeps.optuna.search import Job, Objectives, Search
from recframe.sweeps.optuna.space import Space
from recframe.sweeps.optuna.workers import Workers
from recframe.sweeps.outcomes import Outcome
from recframe.sweeps.record import FAILED, FINISHED, PRUNED, STOPPED

AGENTS = {"a": {"rate": 0.1, "clip": 0.2}, "b": {"rate": 0.1}}


def compose(overrides: Sequence[str]) -> DictConfig:
    """The config of the app: the agents a (rate, clip) and b (rate), and a number x."""
    parsed = {one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(list(overrides))}
    agent = parsed.pop("agent", "a")
    cfg = OmegaConf.create({"agent": AGENTS[agent], "x": 0.0, "seed": 0})
    for key, value in parsed.items():
        OmegaConf.update(cfg, key, value, force_add=True)
    return cfg


class Toy:
    """Searches settings of the app, and runs its jobs.

    calls: the folder of each job that was started.   rounds: the number of jobs that were started together.
    studies: the study that each job was told.   judged: the folders of those by which a trial may be pruned.
    changes: the command lines that were to be written down.
    """

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        self.calls: list[str] = []
        self.rounds: list[int] = []
        self.studies: dict[str, str] = {}
        self.judged: list[str] = []
        self.changes: list[tuple[str, ...]] = []
        self.stopped = False

    def __call__(
        self,
        *arguments: str,
        objective: Callable[[DictConfig], float],
        most: int = 1,
        objectives: Objectives | None = None,
        retries: bool = False,
        may_change: Collection[str] | None = None,
        **settings,
    ) -> dict:
        """Search, and return study.json."""
        self.objective, self.stopped = objective, False
        space = Space.of(OverridesParser.create().parse_overrides(list(arguments)), lambda group: group == "agent", compose)
        with Workers(self.sweep).working() as workers:
            objectives = objectives or Objectives((), ("max",))
            own = {"retries": retries, "may_change": may_change, "note_change": lambda: self.changes.append(arguments)}
            self.search = Search(OptunaSweeperConfig(**settings), space, objectives, self.sweep, self, workers, most, **own)
            self.summary = self.search.run()
        self.summary.show()
        return self.study

    @property
    def study(self) -> dict:
        return json.loads((self.sweep / "study.json").read_text())

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.rounds.append(len(jobs))
        return [self._run(job) for job in jobs]

    def _run(self, job: Job) -> Outcome:
        self.calls.append(job.folder)
        self.studies[job.folder] = job.trial.study
        self.judged += [job.folder] if job.judged else []
        try:
            return Outcome(FINISHED, objective=self.objective(compose(job.overrides)))
        except Pruned as pruned:
            return Outcome(PRUNED, str(pruned))
        except JobStopped as stopped:
            self.stopped = str(stopped) == "stopped by SIGTERM"
            return Outcome(STOPPED, str(stopped))
        except Exception as error:
            return Outcome(FAILED, str(error))


@pytest.fixture
def toy(tmp_path) -> Toy:
    return Toy(tmp_path / "sweep")


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Toy:
    """A search of one trial, which has ended."""
    toy = Toy(tmp_path_factory.mktemp("searched") / "sweep")
    toy("x=interval(0,1)", n_trials=1, objective=lambda cfg: cfg.x)
    return toy
